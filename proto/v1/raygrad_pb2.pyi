from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Piece(_message.Message):
    __slots__ = ("name", "dtype", "shape", "offset", "data")
    NAME_FIELD_NUMBER: _ClassVar[int]
    DTYPE_FIELD_NUMBER: _ClassVar[int]
    SHAPE_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    name: str
    dtype: str
    shape: _containers.RepeatedScalarFieldContainer[int]
    offset: int
    data: bytes
    def __init__(self, name: _Optional[str] = ..., dtype: _Optional[str] = ..., shape: _Optional[_Iterable[int]] = ..., offset: _Optional[int] = ..., data: _Optional[bytes] = ...) -> None: ...

class Tensors(_message.Message):
    __slots__ = ("pieces", "partial")
    PIECES_FIELD_NUMBER: _ClassVar[int]
    PARTIAL_FIELD_NUMBER: _ClassVar[int]
    pieces: _containers.RepeatedCompositeFieldContainer[Piece]
    partial: bool
    def __init__(self, pieces: _Optional[_Iterable[_Union[Piece, _Mapping]]] = ..., partial: _Optional[bool] = ...) -> None: ...

class Error(_message.Message):
    __slots__ = ("code", "reason", "message", "node")
    CODE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    NODE_FIELD_NUMBER: _ClassVar[int]
    code: int
    reason: str
    message: str
    node: str
    def __init__(self, code: _Optional[int] = ..., reason: _Optional[str] = ..., message: _Optional[str] = ..., node: _Optional[str] = ...) -> None: ...

class CreateSessionRequest(_message.Message):
    __slots__ = ("request_id", "options", "document")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    options: SessionOptions
    document: bytes
    def __init__(self, request_id: _Optional[str] = ..., options: _Optional[_Union[SessionOptions, _Mapping]] = ..., document: _Optional[bytes] = ...) -> None: ...

class SessionOptions(_message.Message):
    __slots__ = ("loss", "stages", "replicas", "accumulation", "check", "lease_seconds", "snapshot_every", "placement", "seed")
    class PlacementEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: int
        value: int
        def __init__(self, key: _Optional[int] = ..., value: _Optional[int] = ...) -> None: ...
    LOSS_FIELD_NUMBER: _ClassVar[int]
    STAGES_FIELD_NUMBER: _ClassVar[int]
    REPLICAS_FIELD_NUMBER: _ClassVar[int]
    ACCUMULATION_FIELD_NUMBER: _ClassVar[int]
    CHECK_FIELD_NUMBER: _ClassVar[int]
    LEASE_SECONDS_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOT_EVERY_FIELD_NUMBER: _ClassVar[int]
    PLACEMENT_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    loss: str
    stages: int
    replicas: int
    accumulation: str
    check: str
    lease_seconds: float
    snapshot_every: int
    placement: _containers.ScalarMap[int, int]
    seed: int
    def __init__(self, loss: _Optional[str] = ..., stages: _Optional[int] = ..., replicas: _Optional[int] = ..., accumulation: _Optional[str] = ..., check: _Optional[str] = ..., lease_seconds: _Optional[float] = ..., snapshot_every: _Optional[int] = ..., placement: _Optional[_Mapping[int, int]] = ..., seed: _Optional[int] = ...) -> None: ...

class CreateSessionResponse(_message.Message):
    __slots__ = ("session_id", "plan")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    PLAN_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    plan: PlanSummary
    def __init__(self, session_id: _Optional[str] = ..., plan: _Optional[_Union[PlanSummary, _Mapping]] = ...) -> None: ...

class CloseSessionRequest(_message.Message):
    __slots__ = ("session_id",)
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    def __init__(self, session_id: _Optional[str] = ...) -> None: ...

class CloseSessionResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListSessionsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class SessionSummary(_message.Message):
    __slots__ = ("session_id", "loss", "nodes", "parameters")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    LOSS_FIELD_NUMBER: _ClassVar[int]
    NODES_FIELD_NUMBER: _ClassVar[int]
    PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    loss: str
    nodes: int
    parameters: int
    def __init__(self, session_id: _Optional[str] = ..., loss: _Optional[str] = ..., nodes: _Optional[int] = ..., parameters: _Optional[int] = ...) -> None: ...

class ListSessionsResponse(_message.Message):
    __slots__ = ("sessions",)
    SESSIONS_FIELD_NUMBER: _ClassVar[int]
    sessions: _containers.RepeatedCompositeFieldContainer[SessionSummary]
    def __init__(self, sessions: _Optional[_Iterable[_Union[SessionSummary, _Mapping]]] = ...) -> None: ...

class DescribePlanRequest(_message.Message):
    __slots__ = ("session_id", "sizes")
    class SizesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    SIZES_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    sizes: _containers.ScalarMap[str, int]
    def __init__(self, session_id: _Optional[str] = ..., sizes: _Optional[_Mapping[str, int]] = ...) -> None: ...

class PlanSummary(_message.Message):
    __slots__ = ("stages", "replicas", "placement", "workers", "backend", "fingerprint", "step_seconds", "schedule", "text", "svg")
    class PlacementEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: int
        value: int
        def __init__(self, key: _Optional[int] = ..., value: _Optional[int] = ...) -> None: ...
    STAGES_FIELD_NUMBER: _ClassVar[int]
    REPLICAS_FIELD_NUMBER: _ClassVar[int]
    PLACEMENT_FIELD_NUMBER: _ClassVar[int]
    WORKERS_FIELD_NUMBER: _ClassVar[int]
    BACKEND_FIELD_NUMBER: _ClassVar[int]
    FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    STEP_SECONDS_FIELD_NUMBER: _ClassVar[int]
    SCHEDULE_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    SVG_FIELD_NUMBER: _ClassVar[int]
    stages: int
    replicas: int
    placement: _containers.ScalarMap[int, int]
    workers: _containers.RepeatedScalarFieldContainer[str]
    backend: str
    fingerprint: str
    step_seconds: float
    schedule: str
    text: str
    svg: str
    def __init__(self, stages: _Optional[int] = ..., replicas: _Optional[int] = ..., placement: _Optional[_Mapping[int, int]] = ..., workers: _Optional[_Iterable[str]] = ..., backend: _Optional[str] = ..., fingerprint: _Optional[str] = ..., step_seconds: _Optional[float] = ..., schedule: _Optional[str] = ..., text: _Optional[str] = ..., svg: _Optional[str] = ...) -> None: ...

class GetServerInfoRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ServerInfo(_message.Message):
    __slots__ = ("version", "catalogue", "workers", "settings")
    class SettingsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    VERSION_FIELD_NUMBER: _ClassVar[int]
    CATALOGUE_FIELD_NUMBER: _ClassVar[int]
    WORKERS_FIELD_NUMBER: _ClassVar[int]
    SETTINGS_FIELD_NUMBER: _ClassVar[int]
    version: str
    catalogue: str
    workers: _containers.RepeatedScalarFieldContainer[str]
    settings: _containers.ScalarMap[str, str]
    def __init__(self, version: _Optional[str] = ..., catalogue: _Optional[str] = ..., workers: _Optional[_Iterable[str]] = ..., settings: _Optional[_Mapping[str, str]] = ...) -> None: ...

class PutTensorsRequest(_message.Message):
    __slots__ = ("session_id", "upload_id", "resume", "tensors")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    UPLOAD_ID_FIELD_NUMBER: _ClassVar[int]
    RESUME_FIELD_NUMBER: _ClassVar[int]
    TENSORS_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    upload_id: str
    resume: bool
    tensors: Tensors
    def __init__(self, session_id: _Optional[str] = ..., upload_id: _Optional[str] = ..., resume: _Optional[bool] = ..., tensors: _Optional[_Union[Tensors, _Mapping]] = ...) -> None: ...

class PutTensorsResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class DescribeUploadRequest(_message.Message):
    __slots__ = ("session_id", "upload_id")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    UPLOAD_ID_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    upload_id: str
    def __init__(self, session_id: _Optional[str] = ..., upload_id: _Optional[str] = ...) -> None: ...

class DescribeUploadResponse(_message.Message):
    __slots__ = ("received",)
    class ReceivedEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    RECEIVED_FIELD_NUMBER: _ClassVar[int]
    received: _containers.ScalarMap[str, int]
    def __init__(self, received: _Optional[_Mapping[str, int]] = ...) -> None: ...

class GetTensorsRequest(_message.Message):
    __slots__ = ("session_id",)
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    def __init__(self, session_id: _Optional[str] = ...) -> None: ...

class GetTensorsResponse(_message.Message):
    __slots__ = ("tensors",)
    TENSORS_FIELD_NUMBER: _ClassVar[int]
    tensors: Tensors
    def __init__(self, tensors: _Optional[_Union[Tensors, _Mapping]] = ...) -> None: ...

class MiniBatch(_message.Message):
    __slots__ = ("step", "index", "weight")
    STEP_FIELD_NUMBER: _ClassVar[int]
    INDEX_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    step: int
    index: int
    weight: float
    def __init__(self, step: _Optional[int] = ..., index: _Optional[int] = ..., weight: _Optional[float] = ...) -> None: ...

class AccumulateRequest(_message.Message):
    __slots__ = ("session_id", "mini_batch", "feeds")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    MINI_BATCH_FIELD_NUMBER: _ClassVar[int]
    FEEDS_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    mini_batch: MiniBatch
    feeds: Tensors
    def __init__(self, session_id: _Optional[str] = ..., mini_batch: _Optional[_Union[MiniBatch, _Mapping]] = ..., feeds: _Optional[_Union[Tensors, _Mapping]] = ...) -> None: ...

class AccumulateResponse(_message.Message):
    __slots__ = ("number", "step", "index", "outputs", "error")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    INDEX_FIELD_NUMBER: _ClassVar[int]
    OUTPUTS_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    number: int
    step: int
    index: int
    outputs: Tensors
    error: Error
    def __init__(self, number: _Optional[int] = ..., step: _Optional[int] = ..., index: _Optional[int] = ..., outputs: _Optional[_Union[Tensors, _Mapping]] = ..., error: _Optional[_Union[Error, _Mapping]] = ...) -> None: ...

class ForwardRequest(_message.Message):
    __slots__ = ("session_id", "mini_batch", "keep", "feeds")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    MINI_BATCH_FIELD_NUMBER: _ClassVar[int]
    KEEP_FIELD_NUMBER: _ClassVar[int]
    FEEDS_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    mini_batch: MiniBatch
    keep: bool
    feeds: Tensors
    def __init__(self, session_id: _Optional[str] = ..., mini_batch: _Optional[_Union[MiniBatch, _Mapping]] = ..., keep: _Optional[bool] = ..., feeds: _Optional[_Union[Tensors, _Mapping]] = ...) -> None: ...

class ForwardResponse(_message.Message):
    __slots__ = ("lease", "step", "index", "outputs")
    LEASE_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    INDEX_FIELD_NUMBER: _ClassVar[int]
    OUTPUTS_FIELD_NUMBER: _ClassVar[int]
    lease: str
    step: int
    index: int
    outputs: Tensors
    def __init__(self, lease: _Optional[str] = ..., step: _Optional[int] = ..., index: _Optional[int] = ..., outputs: _Optional[_Union[Tensors, _Mapping]] = ...) -> None: ...

class BackwardRequest(_message.Message):
    __slots__ = ("session_id", "request_id", "lease", "input_gradients", "cotangents")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    LEASE_FIELD_NUMBER: _ClassVar[int]
    INPUT_GRADIENTS_FIELD_NUMBER: _ClassVar[int]
    COTANGENTS_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    request_id: str
    lease: str
    input_gradients: _containers.RepeatedScalarFieldContainer[str]
    cotangents: Tensors
    def __init__(self, session_id: _Optional[str] = ..., request_id: _Optional[str] = ..., lease: _Optional[str] = ..., input_gradients: _Optional[_Iterable[str]] = ..., cotangents: _Optional[_Union[Tensors, _Mapping]] = ...) -> None: ...

class BackwardResponse(_message.Message):
    __slots__ = ("input_gradients",)
    INPUT_GRADIENTS_FIELD_NUMBER: _ClassVar[int]
    input_gradients: Tensors
    def __init__(self, input_gradients: _Optional[_Union[Tensors, _Mapping]] = ...) -> None: ...

class ReleaseRequest(_message.Message):
    __slots__ = ("session_id", "lease")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    LEASE_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    lease: str
    def __init__(self, session_id: _Optional[str] = ..., lease: _Optional[str] = ...) -> None: ...

class ReleaseResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetGradientsRequest(_message.Message):
    __slots__ = ("session_id", "step", "expect_count", "expect", "mean", "keep_open")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    EXPECT_COUNT_FIELD_NUMBER: _ClassVar[int]
    EXPECT_FIELD_NUMBER: _ClassVar[int]
    MEAN_FIELD_NUMBER: _ClassVar[int]
    KEEP_OPEN_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    step: int
    expect_count: int
    expect: Indices
    mean: bool
    keep_open: bool
    def __init__(self, session_id: _Optional[str] = ..., step: _Optional[int] = ..., expect_count: _Optional[int] = ..., expect: _Optional[_Union[Indices, _Mapping]] = ..., mean: _Optional[bool] = ..., keep_open: _Optional[bool] = ...) -> None: ...

class Indices(_message.Message):
    __slots__ = ("indices",)
    INDICES_FIELD_NUMBER: _ClassVar[int]
    indices: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, indices: _Optional[_Iterable[int]] = ...) -> None: ...

class GetGradientsResponse(_message.Message):
    __slots__ = ("step", "indices", "weight", "gradients")
    STEP_FIELD_NUMBER: _ClassVar[int]
    INDICES_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    GRADIENTS_FIELD_NUMBER: _ClassVar[int]
    step: int
    indices: _containers.RepeatedScalarFieldContainer[int]
    weight: float
    gradients: Tensors
    def __init__(self, step: _Optional[int] = ..., indices: _Optional[_Iterable[int]] = ..., weight: _Optional[float] = ..., gradients: _Optional[_Union[Tensors, _Mapping]] = ...) -> None: ...
