"""Bases of the endpoints: lists that read only the columns they show, and rows that stay with their owners."""

from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework import generics

from quant_site.core.errors import NotFound
from quant_site.core.selectors import account_get, accounts_for


class RowsView(generics.ListAPIView):
    """A list whose rows are read straight from the columns its serializer names, with no model instance per row.

    The serializer's fields must be columns (their `source` may follow relations); it is what the schema shows.
    """

    def list(self, request, *args, **kwargs):
        sources = {name: ".".join(field.source_attrs) for name, field in self.get_serializer().fields.items()}
        rows = self.filter_queryset(self.get_queryset()).values_list(*(source.replace(".", "__") for source in sources.values()))
        return self.get_paginated_response([dict(zip(sources, row, strict=True)) for row in self.paginate_queryset(rows)])


@extend_schema_view(get=extend_schema(parameters=[OpenApiParameter("account", str, description="One account; by default all of yours.")]))
class AccountRowsView(RowsView):
    """Rows that belong to accounts: those of `?account=`, else of every account the user may see."""

    def get_queryset(self):
        account_id = self.request.query_params.get("account")
        if account_id:
            return super().get_queryset().filter(account=account_get(user=self.request.user, account_id=account_id))
        return of_user(super().get_queryset(), self.request.user)


def of_user(queryset, user):
    """The rows of `queryset` that belong to accounts `user` may see."""
    return queryset.filter(account__in=accounts_for(user).values("pk"))


def row_get(queryset, *, user, pk: int, trade: bool = False):
    """One row of an account of `user` (with `trade`: one that `user` may act on); raises `NotFound` or `NotAllowed`."""
    row = of_user(queryset, user).filter(pk=pk).first()
    if row is None:
        name = queryset.model._meta.verbose_name_raw
        raise NotFound("not_found", f"There is no {name} {pk} of yours.")
    if trade:
        account_get(user=user, account_id=row.account_id, trade=True)
    return row
