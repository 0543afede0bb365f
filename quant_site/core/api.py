"""What every endpoint shares: pages of results, and one envelope for errors."""

from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, JsonResponse
from django.urls import Resolver404, resolve
from django.views import defaults
from rest_framework import exceptions
from rest_framework.pagination import PageNumberPagination
from rest_framework.response import Response
from rest_framework.serializers import as_serializer_error

from quant_site.core.errors import QuantError

API_PREFIX = "/api/"


class Pagination(PageNumberPagination):
    """`?page=2&page_size=100` → {count, next, previous, results}."""

    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 200


# --- Errors: {code, message, details}


def envelope(code: str, message: str, details=None) -> dict:
    return {"code": code, "message": message, "details": details or {}}


def exception_handler(error, context) -> Response | None:
    """Every error an endpoint raises on purpose, in one envelope. Anything else is a defect and becomes a 500."""
    if isinstance(error, QuantError):
        return Response(envelope(error.code, error.message, error.details), status=error.status)
    error = _as_api_exception(error)
    return error and Response(_api_envelope(error), status=error.status_code, headers=_headers(error))


def _as_api_exception(error) -> exceptions.APIException | None:
    if isinstance(error, exceptions.APIException):
        return error
    if isinstance(error, Http404):
        return exceptions.NotFound()
    if isinstance(error, PermissionDenied):
        return exceptions.PermissionDenied()
    if isinstance(error, ValidationError):
        return exceptions.ValidationError(as_serializer_error(error))
    return None


def _api_envelope(error: exceptions.APIException) -> dict:
    if isinstance(error, exceptions.ValidationError):
        fields = error.detail if isinstance(error.detail, dict) else {"non_field_errors": error.detail}
        return envelope("invalid_input", "; ".join(_sentences(fields)), {"fields": fields})
    if isinstance(error.detail, dict):  # simplejwt: {detail, code, messages}
        return envelope(str(error.detail["code"]), str(error.detail["detail"]))
    details = {"wait_seconds": round(error.wait)} if isinstance(error, exceptions.Throttled) and error.wait else {}
    return envelope(error.detail.code, str(error.detail), details)


def _sentences(detail, name: str = "") -> list[str]:
    """Validation errors, however nested, as "field: message"."""
    if isinstance(detail, dict):
        return [line for key, value in detail.items() for line in _sentences(value, f"{name}.{key}" if name else str(key))]
    if isinstance(detail, list):
        return [line for value in detail for line in _sentences(value, name)]
    return [str(detail) if name in ("", "non_field_errors") else f"{name}: {detail}"]


def _headers(error: exceptions.APIException) -> dict[str, str]:
    headers = {"WWW-Authenticate": error.auth_header} if getattr(error, "auth_header", None) else {}
    return headers | ({"Retry-After": str(round(error.wait))} if getattr(error, "wait", None) else {})


# --- Errors outside an endpoint: the same envelope under /api/, Django's pages elsewhere


def bad_request(request, exception):
    if request.path.startswith(API_PREFIX):
        return JsonResponse(envelope("bad_request", "The request cannot be read."), status=400)
    return defaults.bad_request(request, exception)


def permission_denied(request, exception):
    if request.path.startswith(API_PREFIX):
        return JsonResponse(envelope("permission_denied", "You may not do this."), status=403)
    return defaults.permission_denied(request, exception)


def page_not_found(request, exception):
    if request.path.startswith(API_PREFIX):
        return JsonResponse(envelope("not_found", f"There is nothing at {request.path}.{_hint(request.path)}"), status=404)
    return defaults.page_not_found(request, exception)


def server_error(request):
    if request.path.startswith(API_PREFIX):
        return JsonResponse(envelope("server_error", "Something broke on our side; it has been logged."), status=500)
    return defaults.server_error(request)


def _hint(path: str) -> str:
    other = path.rstrip("/") if path.endswith("/") else f"{path}/"
    try:
        resolve(other)
    except Resolver404:
        return ""
    return f" Did you mean {other}?"
