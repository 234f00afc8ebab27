"""The exception tree: every error a user can meet, each with its gRPC status.

::

    RaygradError                        INTERNAL
    ├── DocumentError                   INVALID_ARGUMENT     bytes that are no document
    │   ├── DocumentSyntaxError                              not msgpack, ext types, wrong structure
    │   ├── DocumentVersionError
    │   ├── UnknownOperatorError
    │   ├── AttributeValueError                              unknown, missing or ill-typed attribute
    │   └── LimitError                  RESOURCE_EXHAUSTED   depth, nodes, bytes, elements
    ├── GraphError                      INVALID_ARGUMENT     a graph that means nothing
    │   ├── InvalidReferenceError                            a later or missing node, a duplicate name
    │   ├── ArityError                                       wrong number of inputs
    │   ├── TypeMismatchError                                shapes or dtypes that do not fit
    │   ├── SizeError                                        a size that cannot be expressed or bound
    │   ├── DifferentiationError
    │   └── UnsupportedOperatorError                         a model's operators that have no translation
    ├── TensorError                     INVALID_ARGUMENT     a feed, parameter or cotangent that does not fit
    │   ├── MissingTensorError
    │   ├── UnexpectedTensorError
    │   ├── TensorShapeError
    │   ├── TensorDTypeError
    │   └── TruncatedTensorError                             bytes or chunks missing, or out of order
    ├── StepError                       FAILED_PRECONDITION  a call at the wrong moment of a step
    │   ├── ParametersMissingError
    │   ├── ParametersFixedError                             parameters changed within a step
    │   ├── StepClosedError
    │   ├── ConflictError               ALREADY_EXISTS       the same (step, index) or id, other content
    │   ├── IncompleteStepError                              not the mini-batches that were expected
    │   ├── LeaseError                                       backward without forward, or twice
    │   │   └── LeaseExpiredError
    │   └── LedgerError                 INTERNAL             a contribution that would count twice
    ├── SessionNotFoundError            NOT_FOUND            unknown or closed session
    ├── ResourceError                   RESOURCE_EXHAUSTED   no worker with what was asked for, no memory
    ├── WorkerLostError                 UNAVAILABLE          a worker died and could not be replaced
    ├── KernelError                     INTERNAL             a kernel failed on a node
    ├── NonFiniteError                  FAILED_PRECONDITION  check="finite" met a NaN or an infinity
    ├── DeadlineError                   DEADLINE_EXCEEDED
    ├── OperationCancelledError         CANCELLED
    ├── UnavailableError                UNAVAILABLE          no server there, or it is draining
    ├── AuthenticationError             UNAUTHENTICATED
    ├── ConfigurationError              INVALID_ARGUMENT     options that do not go together
    └── DependencyError                 FAILED_PRECONDITION  an extra that is not installed

An error names the node it is about (`node`), so that a message can be traced to a line of the
client's program. The class name travels as the error's reason, and `from_wire` makes the same class
of it on the other side.
"""

from __future__ import annotations

from typing import ClassVar

if not __name__.startswith("raygrad."):
    raise ImportError("the folder `proto` is the package raygrad.proto: `import raygrad` (pip install -e .)")


class RaygradError(Exception):
    """The root of all errors of raygrad; `node` names the node it is about, if there is one."""

    code: ClassVar[str] = "INTERNAL"
    registry: ClassVar[dict[str, type[RaygradError]]] = {}

    def __init__(self, message: str, *, node: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.node = node

    def __init_subclass__(cls) -> None:
        RaygradError.registry[cls.__name__] = cls

    def __str__(self) -> str:
        said = not self.node or repr(self.node) in self.message
        return self.message if said else f"{self.node}: {self.message}"

    def __reduce__(self) -> tuple[object, ...]:
        return (from_wire, (type(self).__name__, self.message, self.node or ""))

    def at(self, node: str) -> RaygradError:
        """The same error, saying that it is about `node` (kept if one is already named)."""
        self.node = self.node or node
        return self


def words(exc: BaseException | None) -> str:
    """What a foreign exception says of itself, for an error of ours."""
    return f"{type(exc).__name__}: {exc}"


def from_wire(reason: str, message: str, node: str = "") -> RaygradError:
    """The error whose class is called `reason`; a plain `RaygradError` for a name not known here."""
    return RaygradError.registry.get(reason, RaygradError)(message, node=node or None)


class DocumentError(RaygradError):
    code = "INVALID_ARGUMENT"


class DocumentSyntaxError(DocumentError):
    """Not msgpack, an ext type, or not the structure of a document."""


class DocumentVersionError(DocumentError):
    """A document version that this build does not read."""


class UnknownOperatorError(DocumentError):
    """A wire name that the catalogue does not hold."""


class AttributeValueError(DocumentError):
    """An unknown, missing or ill-typed attribute of an operator."""


class LimitError(DocumentError):
    """A document or tensor larger, deeper or longer than this server allows."""

    code = "RESOURCE_EXHAUSTED"


class GraphError(RaygradError):
    code = "INVALID_ARGUMENT"


class InvalidReferenceError(GraphError):
    """A reference to a node that does not exist (yet), or a name used twice."""


class ArityError(GraphError):
    """An operator got the wrong number of inputs."""


class TypeMismatchError(GraphError):
    """Shapes or dtypes that an operator cannot take."""


class SizeError(GraphError):
    """A named size that cannot be expressed where it stands, or that nothing binds."""


class DifferentiationError(GraphError):
    """A gradient that was asked for does not exist."""


class UnsupportedOperatorError(GraphError):
    """Operators of another framework's model that have no translation: all of them, with their places."""


class TensorError(RaygradError):
    code = "INVALID_ARGUMENT"


class MissingTensorError(TensorError):
    """A feed, parameter, buffer or cotangent that the graph needs was not given."""


class UnexpectedTensorError(TensorError):
    """A tensor was given under a name that the graph does not have."""


class TensorShapeError(TensorError):
    """A tensor whose shape does not fit its type."""


class TensorDTypeError(TensorError):
    """A tensor whose dtype does not fit its type."""


class TruncatedTensorError(TensorError):
    """Fewer or more bytes than the type says, or chunks out of order."""


class StepError(RaygradError):
    code = "FAILED_PRECONDITION"


class ParametersMissingError(StepError):
    """Parameters or buffers must be put first."""


class ParametersFixedError(StepError):
    """Parameters cannot change from the first mini-batch of a step until its gradients are taken."""


class StepClosedError(StepError):
    """The step's gradients were already asked for; a new index would change them."""


class ConflictError(StepError):
    """The same (step, index) or request id came again with other content."""

    code = "ALREADY_EXISTS"


class IncompleteStepError(StepError):
    """The step does not hold the mini-batches that the client says it sent."""


class LeaseError(StepError):
    """Backward without forward, or a second time for one lease."""


class LeaseExpiredError(LeaseError):
    """The lease's time ran out, and its activations are gone."""


class LedgerError(StepError):
    """A contribution that an accumulator already holds, or ledgers that do not make up a step."""

    code = "INTERNAL"


class SessionNotFoundError(RaygradError):
    """No session of this id: it never existed, or it was closed."""

    code = "NOT_FOUND"


class ResourceError(RaygradError):
    """There are not the workers, the devices or the memory that were asked for."""

    code = "RESOURCE_EXHAUSTED"


class WorkerLostError(RaygradError):
    """A worker died, and no replacement could be had in time."""

    code = "UNAVAILABLE"


class KernelError(RaygradError):
    """A kernel failed; the node and its types are named."""


class NonFiniteError(RaygradError):
    """`check="finite"`: the first node that produced a NaN or an infinity."""

    code = "FAILED_PRECONDITION"


class DeadlineError(RaygradError):
    """A wait ended before what was waited for came."""

    code = "DEADLINE_EXCEEDED"


class OperationCancelledError(RaygradError):
    """The call was cancelled by its caller."""

    code = "CANCELLED"


class UnavailableError(RaygradError):
    """No server answers there, or it is shutting down."""

    code = "UNAVAILABLE"


class AuthenticationError(RaygradError):
    """The server wants a token that was not sent."""

    code = "UNAUTHENTICATED"


class ConfigurationError(RaygradError):
    """Options or settings that do not go together."""

    code = "INVALID_ARGUMENT"


class DependencyError(RaygradError):
    """An optional package is missing; the message names the command that installs it."""

    code = "FAILED_PRECONDITION"
