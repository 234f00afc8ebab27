"""The frozen values of `raygrad.proto.messages` as messages of the service, and back."""

from __future__ import annotations

from collections.abc import Collection

from ..messages import MiniBatch, PlanSummary, ServerInfo, SessionOptions
from ..tensor import Array
from . import raygrad_pb2 as pb


def options_to_message(options: SessionOptions) -> pb.SessionOptions:
    """A session's options as they travel."""
    return pb.SessionOptions(
        loss=options.loss,
        stages=options.stages,
        replicas=options.replicas,
        accumulation=options.accumulation,
        check=options.check,
        lease_seconds=options.lease_seconds,
        snapshot_every=options.snapshot_every,
        placement=options.placement,
        seed=options.seed,
    )


def options_from_message(message: pb.SessionOptions) -> SessionOptions:
    """The options; what is empty takes its default. `ConfigurationError` for what does not go."""
    default = SessionOptions()
    return SessionOptions(
        loss=message.loss or default.loss,
        stages=message.stages if message.HasField("stages") else None,
        replicas=message.replicas if message.HasField("replicas") else None,
        accumulation=message.accumulation or default.accumulation,
        check=message.check,
        lease_seconds=message.lease_seconds or default.lease_seconds,
        snapshot_every=message.snapshot_every,
        placement=dict(message.placement) or None,
        seed=message.seed,
    )


def batch_to_message(index: int | None, weight: float, step: int | None) -> pb.MiniBatch:
    """The identity and weight of a mini-batch; its feeds travel beside it."""
    return pb.MiniBatch(index=index, weight=weight, step=step)


def batch_from_message(message: pb.MiniBatch, feeds: dict[str, Array]) -> MiniBatch:
    """The mini-batch with its feeds."""
    return MiniBatch(feeds, index_of(message), weight_of(message))


def index_of(message: pb.MiniBatch) -> int | None:
    """The mini-batch's identity within its step, if the client gave one."""
    return message.index if message.HasField("index") else None


def step_of(message: pb.MiniBatch) -> int | None:
    """The step that the mini-batch belongs to, if the client named one."""
    return message.step if message.HasField("step") else None


def weight_of(message: pb.MiniBatch) -> float:
    """What multiplies the mini-batch's gradients."""
    return message.weight if message.HasField("weight") else 1.0


def gradients_request(
    session: str, step: int | None, expect: int | Collection[int] | None, mean: bool, keep_open: bool
) -> pb.GetGradientsRequest:
    """A request for the gradients; `expect` is how many mini-batches, or which."""
    request = pb.GetGradientsRequest(session_id=session, step=step, mean=mean, keep_open=keep_open)
    if isinstance(expect, int):
        request.expect_count = expect
    elif expect is not None:
        request.expect.CopyFrom(pb.Indices(indices=sorted(expect)))
    return request


def expect_of(request: pb.GetGradientsRequest) -> int | tuple[int, ...] | None:
    """How many mini-batches the step must hold, or which, if the client said so."""
    if request.HasField("expect"):
        return tuple(request.expect.indices)
    return request.expect_count if request.HasField("expect_count") else None


def plan_to_message(plan: PlanSummary) -> pb.PlanSummary:
    """A plan's summary as it travels."""
    return pb.PlanSummary(
        stages=plan.stages,
        replicas=plan.replicas,
        placement=plan.placement,
        workers=plan.workers,
        backend=plan.backend,
        fingerprint=plan.fingerprint,
        step_seconds=plan.step_seconds,
        schedule=plan.schedule,
        text=plan.text,
        svg=plan.svg,
    )


def plan_from_message(message: pb.PlanSummary) -> PlanSummary:
    """The summary that `plan_to_message` wrote."""
    return PlanSummary(
        stages=message.stages,
        replicas=message.replicas,
        placement=dict(message.placement),
        workers=tuple(message.workers),
        backend=message.backend,
        fingerprint=message.fingerprint,
        step_seconds=message.step_seconds,
        schedule=message.schedule,
        text=message.text,
        svg=message.svg,
    )


def info_to_message(info: ServerInfo) -> pb.ServerInfo:
    """What a server is, as it travels."""
    return pb.ServerInfo(
        version=info.version, catalogue=info.catalogue, workers=info.workers, settings=info.settings
    )


def info_from_message(message: pb.ServerInfo) -> ServerInfo:
    """What the server said of itself."""
    return ServerInfo(message.version, message.catalogue, tuple(message.workers), dict(message.settings))
