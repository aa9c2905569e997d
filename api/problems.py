"""Every error as application/problem+json (RFC 9457): one table from error to problem.

A problem has a stable ``type`` (``urn:shanji:problem:<code>``) and ``code`` for
programs, a title in Chinese and in English, a ``detail`` that says what was expected,
what came and what to do, the list ``errors`` of fields where fields are wrong, and
``details`` with plain values. ``instance`` is the path asked for, or a name under which
the server's log tells more.
"""

from __future__ import annotations

import logging
import traceback
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from ledger.errors import (
    ConflictError,
    FatalError,
    InsufficientError,
    LedgerError,
    MalformedError,
    NotAllowedError,
    NotFoundError,
    NotReadyError,
    OutcomeUnknownError,
    QueueFullError,
    RejectedError,
    RetryableError,
    UndecidedError,
    VerificationError,
)

PROBLEM = "application/problem+json"
TYPE_PREFIX = "urn:shanji:problem:"
RETRY_SECONDS = 1
"""What Retry-After says where the same request may succeed later."""

RenderError = Callable[[Request, int, str, str], Response]
"""(request, status, title, detail) -> the error as a page, for people."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Form:
    """What a problem's kind fixes."""

    status: int
    title: str
    title_en: str


_FORMS: Mapping[type[LedgerError], Form] = {
    MalformedError: Form(400, "请求格式不正确", "The request is not in the right format"),
    VerificationError: Form(422, "核验不一致", "It does not verify"),
    UndecidedError: Form(422, "无法判断", "It cannot be decided"),
    RejectedError: Form(422, "记录不符合规则", "The record breaks a rule"),
    ConflictError: Form(409, "与已有记录冲突", "It contradicts what is recorded"),
    InsufficientError: Form(409, "数量不足", "The units are not there"),
    NotAllowedError: Form(403, "没有权限", "Not allowed"),
    NotFoundError: Form(404, "没有找到", "Not found"),
    QueueFullError: Form(429, "队列已满，请稍后重试", "The queue is full; try again shortly"),
    NotReadyError: Form(503, "服务暂不可用", "The service is not ready"),
    RetryableError: Form(503, "请稍后重试", "Try again later"),
    OutcomeUnknownError: Form(
        503,
        "结果未知，请用同一幂等键重试",
        "The outcome is unknown; repeat with the same Idempotency-Key",
    ),
    FatalError: Form(500, "服务器内部错误", "The server has a fault"),
    LedgerError: Form(422, "无法完成", "It cannot be done"),
}

_FORMS_BY_CODE: Mapping[str, Form] = {
    "invalid_record": Form(422, "记录字段不正确", "Fields of the record are wrong"),
    "unknown_kind": Form(422, "没有这种记录", "There is no such kind of record"),
    "body_too_large": Form(413, "请求体过大", "The request's body is too large"),
    "too_many_lines": Form(413, "行数过多", "The request has too many lines"),
    "body_too_slow": Form(408, "请求体传输过慢", "The request's body came too slowly"),
    "no_token": Form(401, "需要令牌", "A token is needed"),
    "unknown_token": Form(401, "令牌无效", "The token is not valid"),
    "idempotency_key_missing": Form(400, "缺少幂等键", "The Idempotency-Key is missing"),
    "idempotency_conflict": Form(
        409, "幂等键已用于其他内容", "The Idempotency-Key was used for other content"
    ),
    "witnesses_missing": Form(
        503,
        "已记账，尚待见证，请用同一幂等键重试",
        "Recorded, but witnesses are missing; repeat with the same Idempotency-Key",
    ),
    "halted": Form(503, "见证人与本账本不一致，已停止记账", "A witness contradicts this log"),
    "restore_unconfirmed": Form(
        503, "从备份恢复后尚未确认，暂不记账", "Restored from a backup, and not confirmed yet"
    ),
    "commit_hangs": Form(503, "数据库迟迟没有完成提交", "A commit waits for the database"),
    "database_slow": Form(503, "数据库没有及时应答", "The database does not answer in time"),
    "damaged": Form(503, "存储的数据有损坏，已停止记账", "Something stored is damaged"),
    "list_changed": Form(409, "列表已更新，请从头读取", "The list was made anew; begin again"),
    "searching": Form(503, "正在查找，请稍后重试", "The search goes on; try again later"),
    "proposal_closed": Form(409, "申请已办结", "The proposal is decided already"),
    "proposal_busy": Form(503, "申请正在办理", "The proposal is being decided"),
    "receipts_extra_missing": Form(
        501, "本服务未安装 PDF 凭证组件", "Receipts as PDF are not installed here"
    ),
    "receipt_not_set": Form(500, "凭证无法排版", "The receipt cannot be set as a PDF"),
    "invalid_parameter": Form(400, "参数不正确", "A parameter is wrong"),
    "method_not_allowed": Form(405, "不支持此方法", "The method is not allowed here"),
    "no_such_path": Form(404, "没有此路径", "There is no such path"),
    "request_refused": Form(400, "请求被拒绝", "The request was refused"),
    "internal_error": Form(500, "服务器内部错误", "The server has a fault"),
}

_FATAL_DETAIL = (
    "the server met a fault in what it stores and recorded nothing more; tell its operator "
    "the instance, the server's log says more"
)
_INTERNAL_DETAIL = "the server met a fault; tell its operator the instance, the log says more"
_HTML_NEVER = ("/v1/", "/tile/", "/checkpoint", "/metrics", "/livez", "/readyz", "/openapi.json")


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem, ready to be sent."""

    status: int
    title: str
    title_en: str
    code: str
    detail: str
    instance: str
    errors: Sequence[Mapping[str, Any]] = ()
    details: Mapping[str, Any] | None = None

    def as_json(self) -> dict[str, Any]:
        """The members of RFC 9457 and ours; what is empty is left out."""
        value: dict[str, Any] = {
            "type": TYPE_PREFIX + self.code,
            "title": self.title,
            "title_en": self.title_en,
            "status": self.status,
            "code": self.code,
            "detail": self.detail,
            "instance": self.instance,
        }
        if self.errors:
            value["errors"] = list(self.errors)
        if self.details:
            value["details"] = dict(self.details)
        return value

    def headers(self) -> dict[str, str]:
        """What HTTP wants beside the body."""
        headers = {"cache-control": "no-store"}
        if self.status == 401:
            headers["www-authenticate"] = 'Bearer realm="shanji"'
        if self.status in (429, 503):
            headers["retry-after"] = str(RETRY_SECONDS)
        return headers


def problem_of(error: LedgerError, instance: str) -> Problem:
    """The problem that an error of the ledger is."""
    if isinstance(error, FatalError):
        # Its message is for the operator: it may name files and rows.
        instance = f"urn:uuid:{uuid.uuid4()}"
        log.error("%s: %s (%s)", instance, error.message, error.code)
        form = _FORMS[FatalError]
        return Problem(form.status, form.title, form.title_en, error.code, _FATAL_DETAIL, instance)
    form = _FORMS_BY_CODE.get(error.code) or next(
        _FORMS[cls] for cls in type(error).__mro__ if cls in _FORMS
    )
    details = dict(error.details)
    if "undo_first" in details and "entry" in details:
        details["later_uses"] = f"/v1/entries/{details['entry']}/later-uses"
    errors = details.pop("errors", None)
    if not isinstance(errors, list):
        one = {"field": error.field, "code": error.code, "message": error.message}
        errors = [one] if error.field else []
    return Problem(
        form.status,
        form.title,
        form.title_en,
        error.code,
        error.message,
        instance,
        errors,
        details,
    )


def unexpected(error: Exception) -> Problem:
    """The problem for a fault of ours. The log tells where it was, never its message.

    A message may quote personal data; the places in the code cannot.
    """
    instance = f"urn:uuid:{uuid.uuid4()}"
    places = " < ".join(
        f"{frame.name} ({frame.filename.rsplit('/', 1)[-1]}:{frame.lineno})"
        for frame in reversed(traceback.extract_tb(error.__traceback__))
    )
    log.error("%s: %s in %s", instance, type(error).__name__, places)
    return _coded("internal_error", _INTERNAL_DETAIL, instance)


def _coded(
    code: str, detail: str, instance: str, errors: Sequence[Mapping[str, Any]] = ()
) -> Problem:
    form = _FORMS_BY_CODE[code]
    return Problem(form.status, form.title, form.title_en, code, detail, instance, errors)


def respond(
    request: Request, problem: Problem, headers: Mapping[str, str] | None = None
) -> Response:
    """Send a problem: as JSON, or as a page where a person asks for one."""
    every = {**problem.headers(), **(headers or {})}
    if "text/html" in request.headers.get("accept", "") and not request.url.path.startswith(
        _HTML_NEVER
    ):
        render: RenderError = request.app.state.render_error
        try:
            page = render(request, problem.status, problem.title, problem.detail)
        except Exception as error:
            # A page that fails must not hide the problem that it was to show.
            unexpected(error)
        else:
            page.headers.update(every)
            return page
    body = orjson.dumps(problem.as_json(), default=str)
    return Response(body, problem.status, every, media_type=PROBLEM)


async def _on_ledger_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, LedgerError)
    return respond(request, problem_of(error, request.url.path))


async def _on_invalid_parameter(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    errors = [
        {
            "field": ".".join(str(part) for part in one["loc"][1:]),
            "code": one["type"],
            "message": one["msg"],
        }
        for one in error.errors()
    ]
    detail = f"{errors[0]['field']}: {errors[0]['message']}"
    return respond(request, _coded("invalid_parameter", detail, request.url.path, errors))


async def _on_http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    path = request.url.path
    if error.status_code == 404:
        problem = _coded("no_such_path", f"there is nothing at {path[:200]}", path)
    elif error.status_code == 405:
        allowed = (error.headers or {}).get("Allow", "another method")
        detail = f"expected {allowed}, got {request.method}"
        problem = _coded("method_not_allowed", detail, path)
    else:
        form = _FORMS_BY_CODE["request_refused"]
        detail = str(error.detail)
        problem = Problem(
            error.status_code, form.title, form.title_en, "request_refused", detail, path
        )
    return respond(request, problem, error.headers)


def install(app: FastAPI, render_error: RenderError) -> None:
    """Have the app answer every error that it knows with a problem.

    What nobody expected is answered by the outermost layer (``edge``).
    """
    app.state.render_error = render_error
    app.add_exception_handler(LedgerError, _on_ledger_error)
    app.add_exception_handler(RequestValidationError, _on_invalid_parameter)
    app.add_exception_handler(HTTPException, _on_http_error)
