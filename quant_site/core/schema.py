"""What the OpenAPI page says beyond the endpoints themselves: the bearer token, and the envelope of errors."""

from drf_spectacular.contrib.rest_framework_simplejwt import SimpleJWTScheme


class LoginScheme(SimpleJWTScheme):
    target_class = "quant_site.core.tokens.LoginAuthentication"
    name = "bearer"


def describe_errors(result, generator, request, public):
    """drf-spectacular hook: every operation may answer with the envelope."""
    text = {"type": "string"}
    result["components"].setdefault("schemas", {})["Error"] = {
        "type": "object",
        "properties": {"code": text, "message": text, "details": {"type": "object", "additionalProperties": {}}},
        "required": ["code", "message", "details"],
    }
    answer = {"description": "An error", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}}
    for operations in result["paths"].values():
        for operation in operations.values():
            operation["responses"].setdefault("default", answer)
    return result
