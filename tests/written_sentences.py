"""The sentences that source code writes: fixed ones, and f-strings with a sample in each slot, every branch of them.

What stands in a slot is looked up in its function where it is a text made there (`"today" if … else f"{age} sessions ago"`);
numbers, dates and names are the sample.
"""

import ast
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from types import ModuleType

SAMPLE = "7"
Texts = dict[str, ast.expr]


def written(module: ModuleType) -> set[str]:
    """Every sentence of `module` that a page may show: what begins with a capital, has words, and ends with a full stop;
    of "CODE: sentence" the sentence. Docstrings, and arguments of exceptions, are none."""
    tree = ast.parse(Path(module.__file__).read_text())
    found = {text for function in _functions(tree) for text in _of_function(function)}
    return {text for whole in found if _is_sentence(text := _without_code(whole))}


def _functions(tree: ast.Module) -> Iterator[ast.FunctionDef]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))


def _of_function(function: ast.FunctionDef) -> Iterator[str]:
    nodes = [node for statement in function.body if not _is_aside(statement) for node in _walk(statement)]
    texts = {
        target.id: node.value for node in nodes if isinstance(node, ast.Assign) for target in node.targets if isinstance(target, ast.Name)
    }
    for node in nodes:
        if isinstance(node, ast.Constant | ast.JoinedStr):
            yield from _said(node, texts)


def _walk(node: ast.AST) -> Iterator[ast.AST]:
    """All nodes but the parts of an f-string, and what is raised."""
    if _is_aside(node):
        return
    yield node
    for child in () if isinstance(node, ast.JoinedStr) else ast.iter_child_nodes(node):
        yield from _walk(child)


def _is_aside(node: ast.AST) -> bool:
    docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    return docstring or isinstance(node, ast.Raise | ast.FunctionDef)


def _said(node: ast.AST, texts: Texts) -> list[str]:
    """What the expression can be as a text."""
    match node:
        case ast.Constant(value=str(text)):
            return [text]
        case ast.JoinedStr(values=parts):
            return ["".join(each) for each in product(*(_said(part, texts) for part in parts))]
        case ast.FormattedValue(value=value):
            return _said(value, texts)
        case ast.IfExp(body=one, orelse=other):
            return [*_said(one, texts), *_said(other, texts)]
        case ast.Name(id=name) if name in texts:
            return _said(texts[name], {known: text for known, text in texts.items() if known != name})
    return [SAMPLE]


def _without_code(text: str) -> str:
    code, colon, sentence = text.partition(": ")
    return sentence if colon and code.isupper() else text


def _is_sentence(text: str) -> bool:
    return text.endswith(".") and " " in text and (text[0].isupper() or text.startswith(SAMPLE))
