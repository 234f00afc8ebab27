"""The options of a session on their way to a server."""

import numpy as np
import pytest

from raygrad.proto.errors import ConfigurationError
from raygrad.proto.messages import SessionOptions
from raygrad.proto.v1.values import options_from_message, options_to_message


def test_every_option_travels() -> None:
    options = SessionOptions("cost", 2, 3, "fast", "finite", 7.5, 4, {1: 0, 2: 1}, 2**63 + 5)
    assert all(value != getattr(SessionOptions(), name) for name, value in vars(options).items())
    assert options_from_message(options_to_message(options)) == options


def test_a_number_that_is_text_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="stages must be 1 to 1024, got '2'"):
        SessionOptions(stages="2")  # type: ignore[arg-type]


def test_a_number_of_numpy_is_one() -> None:
    options = SessionOptions(stages=np.int64(2), replicas=np.int32(3))  # type: ignore[arg-type]
    assert options_from_message(options_to_message(options)) == options
