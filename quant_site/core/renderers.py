"""JSON as the API speaks it: a Decimal is a string, so that no cent passes through a float on its way."""

from decimal import Decimal

from rest_framework.renderers import JSONRenderer
from rest_framework.utils.encoders import JSONEncoder


class ExactEncoder(JSONEncoder):
    def default(self, obj):
        return f"{obj:f}" if isinstance(obj, Decimal) else super().default(obj)


class ExactJSONRenderer(JSONRenderer):
    encoder_class = ExactEncoder
