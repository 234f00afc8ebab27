"""The server's settings: the command line over the environment (RAYGRAD_…) over a file."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field, FilePath, ValidationError, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from raygrad.proto.errors import ConfigurationError

Backend = Literal["auto", "numpy", "torch", "torch-cpu", "torch-cuda"]


class Settings(BaseSettings):
    """How a server runs. A field `name` is `--name` on the command line and `RAYGRAD_NAME` outside it."""

    model_config = SettingsConfigDict(env_prefix="RAYGRAD_", extra="forbid", frozen=True)
    file: ClassVar[Path | None] = None

    listen: str = Field("127.0.0.1:50051", description="HOST:PORT to listen on; port 0 takes a free one")
    ray: str = Field(
        "auto",
        description="auto: join a running Ray, or start one; local: start one; none; or an address",
    )
    workers: int = Field(2, ge=1, le=4096, description="workers to start")
    backend: Backend = Field("auto", description="what the workers compute with")
    gpus_per_worker: float | None = Field(
        None, ge=0, description="GPUs of each worker on Ray; one if Ray has enough of them now"
    )
    join_seconds: float = Field(60.0, gt=0, description="how long Ray may take to start the workers")
    token_file: FilePath | None = Field(None, description="a file with the token that clients must send")
    tls_cert: FilePath | None = Field(None, description="the server's certificate chain, PEM")
    tls_key: FilePath | None = Field(None, description="its private key, PEM")
    insecure: bool = Field(False, description="allow other machines to connect without TLS and a token")
    metrics_port: int | None = Field(None, ge=0, le=65535, description="serve Prometheus metrics here")
    drain_seconds: float = Field(30.0, ge=0, description="how long running work may go on at shutdown")
    idle_seconds: float = Field(
        3600.0, gt=0, description="close sessions of which nothing was asked for so long"
    )
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @property
    def host(self) -> str:
        """The host part of `listen`."""
        return self.listen.rpartition(":")[0].strip("[]")

    @property
    def token(self) -> str:
        """The token in `token_file`, or none."""
        if self.token_file is None:
            return ""
        if not (token := _read(self.token_file, "token_file").decode().strip()):
            raise ConfigurationError(f"token_file: {self.token_file} is empty")
        return token

    @property
    def tls(self) -> tuple[bytes, bytes] | None:
        """The private key and the certificate chain, or none."""
        if self.tls_key is None or self.tls_cert is None:
            return None
        return _read(self.tls_key, "tls_key"), _read(self.tls_cert, "tls_cert")

    @model_validator(mode="after")
    def _check_together(self) -> Settings:
        host, colon, port = self.listen.rpartition(":")
        if not colon or not host or not port.isdecimal() or int(port) > 65535:
            raise ValueError(f"listen must be HOST:PORT, got {self.listen!r}")
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ValueError("tls_cert and tls_key go together")
        if not self.insecure and not is_loopback(self.host) and not (self.tls_cert and self.token_file):
            raise ValueError(
                f"{self.host} can be reached from other machines: give tls_cert, tls_key and token_file, "
                "or insecure if something else protects the port"
            )
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The sources, strongest first."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, cls.file)


def load(file: Path | None = None, **given: Any) -> Settings:
    """The settings of a server; what is `None` in `given` is left to the environment and the file.

    Raises `ConfigurationError`, which names the setting, for one that is not known or does not go.
    """
    if file is not None and not file.is_file():
        raise ConfigurationError(f"there is no configuration file {file}")
    chosen = type("Settings", (Settings,), {"file": file})
    try:
        found = chosen(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as exc:
        raise ConfigurationError("; ".join(_words(error) for error in exc.errors())) from exc
    except ValueError as exc:  # the file is not TOML
        raise ConfigurationError(f"{file}: {exc}") from exc
    assert isinstance(found, Settings)
    return found


def is_loopback(host: str) -> bool:
    """Whether only this machine can connect to the host."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _words(error: Any) -> str:
    where = ".".join(map(str, error["loc"]))
    message = error["msg"].removeprefix("Value error, ")
    return f"{where}: {message}, got {error['input']}" if where else message


def _read(path: Path, setting: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as exc:
        raise ConfigurationError(f"{setting}: {path} cannot be read: {exc.strerror}") from exc
