"""The mutants of a source file: small faults, one at a time, made token by token.

Fortran, C and Python are told apart by the file name. Comments, strings, declarations and
everything outside of procedures are left alone.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise


@dataclass(frozen=True)
class Mutant:
    """One fault. `where`, `original`, `mutated` and `nth` name it whatever lines are above it."""

    file: str
    line: int
    where: str  # the procedure
    original: str
    mutated: str
    nth: int  # counts the mutants of a procedure that read the same
    text: str  # the whole mutated source

    @property
    def key(self) -> str:
        again = f" #{self.nth}" if self.nth > 1 else ""
        return f"{self.where}: {self.original} -> {self.mutated}{again}"


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    start: int
    end: int


Edit = tuple[int, int, str]  # from, to, what comes there instead

_NUMBER = r"0x[\da-f]+(?:\.[\da-f]*)?(?:p[+-]?\d+)?|\d+(?:\.\d*)?(?:[ed][+-]?\d+)?(?:_\w+|[uUlL]+)?"
_OPERATORS = r"->|=>|\*\*|//|[-+*/|&]=|\+\+|--|&&|\|\||<<|>>|[=!/<>]=|::|:=|\.(?:and|or|not)\.|\S"
_SKIPPED = {
    "fortran": r"!.*|^\#.*|'[^'\n]*'|\"[^\"\n]*\"",
    "c": r"/\*.*?\*/|^\#(?:.*\\\n)*.*|\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'",
    "python": r"\#.*|[rbfRBF]*(?:\"\"\".*?\"\"\"|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*')",
}
# "." must not cross lines in line comments, and must in block comments and docstrings.
_SKIPPED = {k: v.replace(".*?", r"[\s\S]*?") for k, v in _SKIPPED.items()}

_RELATIONS = {"<": ("<=", ">="), "<=": ("<", ">"), ">": (">=", "<="), ">=": (">", "<")}
_SWAPS = {
    "fortran": {
        **_RELATIONS,
        "==": ("/=",),
        "/=": ("==",),
        ".and.": (".or.",),
        ".or.": (".and.",),
        ".not.": ("",),
        "**": ("*",),
        "larger": ("smaller",),
        "smaller": ("larger",),
        "min": ("max",),
        "max": ("min",),
    },
    "c": {
        **_RELATIONS,
        "==": ("!=",),
        "!=": ("==",),
        "&&": ("||",),
        "||": ("&&",),
        "!": ("",),
        "++": ("--",),
    },
    "python": {
        **_RELATIONS,
        "==": ("!=",),
        "!=": ("==",),
        "and": ("or",),
        "or": ("and",),
        "is": ("is not",),
        "in": ("not in",),
        "not": ("",),
        "min": ("max",),
        "max": ("min",),
        "True": ("False",),
        "False": ("True",),
    },
}
_ARITHMETIC = {"+": "-", "-": "+", "*": "/", "/": "*", "|": "&"}


def language_of(file: str) -> str:
    return {"f90": "fortran", "c": "c", "py": "python"}[file.rpartition(".")[2].lower()]


def mutants_of(file: str, text: str) -> list[Mutant]:
    """Return all mutants of a source, in the order of its lines."""
    language = language_of(file)
    tokens = _tokens(text, language)
    procedures = list(_procedures(text, language))
    eligible = [t for t in tokens if any(a <= t.start < b for a, b, _ in procedures)]
    if language == "fortran":
        eligible = [t for t in eligible if not _in_declaration(text, t)]
    edits = [*_token_edits(text, eligible, language), *_condition_edits(text, eligible, language)]
    if language == "fortran":
        edits += _bound_edits(text, eligible)
    edits += _deletions(text, language, procedures)

    found: dict[str, Mutant] = {}
    counts: dict[str, int] = {}
    for start, end, new in sorted(edits):
        where = next((name for a, b, name in procedures if a <= start < b), None)
        mutated = text[:start] + new + text[end:]
        if where is None or mutated in found:
            continue
        first, last = text.rfind("\n", 0, start) + 1, text.find("\n", end)
        after = " ".join((text[first:start] + new + text[end:last]).split()) or "(deleted)"
        before = " ".join(text[first:last].split())
        mutant = Mutant(file, text.count("\n", 0, start) + 1, where, before, after, 1, mutated)
        counts[mutant.key] = counts.get(mutant.key, 0) + 1
        found[mutated] = replace(mutant, nth=counts[mutant.key])
    return list(found.values())


def _tokens(text: str, language: str) -> list[_Token]:
    pattern = re.compile(
        rf"(?P<skip>{_SKIPPED[language]})|(?P<number>(?<!\w)(?:{_NUMBER}))"
        rf"|(?P<name>[A-Za-z_]\w*)|(?P<operator>{_OPERATORS})",
        re.MULTILINE,
    )
    matches = (m for m in pattern.finditer(text) if m.lastgroup != "skip")
    return [_Token(str(m.lastgroup), m.group(), m.start(), m.end()) for m in matches]


def _procedures(text: str, language: str) -> Iterator[tuple[int, int, str]]:
    """Yield where the bodies of procedures are, and the procedures' names."""
    if language == "python":
        starts = [0, *(m.end() for m in re.finditer("\n", text))]
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef):
                yield starts[node.lineno - 1], starts[node.end_lineno or 0] - 1, node.name
    elif language == "c":
        for m in re.finditer(r"^(\w+)\([^{;]*\)\n\{\n([\s\S]*?)^\}", text, re.MULTILINE):
            yield m.start(2), m.end(2), m.group(1)
    else:
        header = r"^[\w() ]*?\b(?:subroutine|function) (\w+)\((?:.*&\n)*.*\n([\s\S]*?)^end "
        for m in re.finditer(header, text, re.MULTILINE):
            yield m.start(2), m.end(2), m.group(1)


def _in_declaration(text: str, token: _Token) -> bool:
    """Tell whether a Fortran token declares something; the value of a constant does not."""
    start, end = text.rfind("\n", 0, token.start) + 1, text.find("\n", token.start)
    head, colons, _ = text[start:end].partition("::")
    return bool(colons) and ("parameter" not in head or token.start < start + len(head))


def _perturbed(number: str) -> list[str]:
    digits, mark, kind = number.partition("_")
    if digits.startswith("0x"):
        return [repr(float.fromhex(digits) / 2)] if "p" in digits else []
    if re.fullmatch(r"\d+", digits):
        value = int(digits)
        return {0: ["1" + mark + kind], 1: ["0" + mark + kind, "2" + mark + kind]}.get(
            value, [f"{value + 1}{mark}{kind}"]
        )
    if re.fullmatch(r"[\d.]+(?:e[+-]?\d+)?", digits):
        return [f"{float(digits) / 2 or 1.0!r}{mark}{kind}"]
    return []


def _is_operand(token: _Token) -> bool:
    if token.kind == "name":
        return token.text not in ("return", "if", "and", "or", "not", "in", "else", "is")
    return token.kind == "number" or token.text in (")", "]")


def _is_test(text: str, token: _Token) -> bool:
    """Tell Python's `is` and `in` from those of `is not`, `not in` and `for ... in`."""
    line = text[text.rfind("\n", 0, token.start) + 1 : token.start]
    if token.text == "is":
        return not text.startswith(" not", token.end)
    if token.text == "not":
        return not text.startswith(" in ", token.end)
    return token.text != "in" or not re.search(r"\b(?:for|not)\b", line)


def _token_edits(text: str, tokens: list[_Token], language: str) -> Iterator[Edit]:
    swaps = _SWAPS[language]
    for k, (before, token) in enumerate(pairwise(tokens)):
        for new in swaps.get(token.text, ()):
            call = text[token.end] == "("
            if token.kind != "name" or call or (language == "python" and _is_test(text, token)):
                yield token.start, token.end, new
        if token.kind == "number":
            returned = re.search(r"\breturn -?$", text[max(token.start - 9, 0) : token.start])
            for new in _perturbed(token.text):
                if returned and new == "2":  # any value but 0 says the same
                    continue
                if before.text == "-" and new == "0" and not _is_operand(tokens[k - 1]):
                    yield before.start, token.end, new
                else:
                    yield token.start, token.end, new
        elif token.text in _ARITHMETIC:
            spaced = text[token.start - 1] == text[token.end] == " "
            if _is_operand(before) and (spaced or language == "fortran"):
                if token.text != "|" or language == "c":
                    yield token.start, token.end, _ARITHMETIC[token.text]
            elif token.text == "-" and not _is_operand(before):
                yield token.start, token.end, ""


def _condition_edits(text: str, tokens: list[_Token], language: str) -> Iterator[Edit]:
    """Negate conditions, but for a single relation: its swap is the same."""
    relations = {"<", "<=", ">", ">=", "==", "/=", "!="}
    joints = {".and.", ".or.", "&&", "||"}
    opening, closing = {"fortran": (".not. (", ")"), "c": ("!(", ")")}.get(language, ("", ""))
    for k, token in enumerate(tokens):
        follows = tokens[k + 1].text if k + 1 < len(tokens) else ""
        if not opening or token.text not in ("if", "while") or follows != "(":
            continue
        depth, last = 0, k + 1
        while depth or last == k + 1:
            depth += {"(": 1, ")": -1}.get(tokens[last].text, 0)
            last += 1
        inside = tokens[k + 2 : last - 1]
        texts = [t.text for t in inside]
        single = relations.isdisjoint(texts) and texts[0] not in ("!", ".not.")
        if single or not joints.isdisjoint(texts):
            start, end = inside[0].start, inside[-1].end
            yield start, end, f"{opening}{text[start:end]}{closing}"


def _bound_edits(text: str, tokens: list[_Token]) -> Iterator[Edit]:
    """Move the upper bounds of Fortran's loops and array sections by one."""
    for before, token, after in zip(tokens, tokens[1:], tokens[2:], strict=False):
        if token.kind != "name":
            continue
        line = text[text.rfind("\n", 0, token.start) + 1 : text.find("\n", token.start)]
        section = before.text == ":" and after.text in (")", ",")
        loop = line.lstrip().startswith("do ") and "=" in line and before.text == ","
        if loop or section:
            yield token.start, token.end, f"{token.text} - 1"
            yield token.start, token.end, f"{token.text} + 1"


def _deletions(text: str, language: str, procedures: list[tuple[int, int, str]]) -> Iterator[Edit]:
    if language == "python":
        yield from _python_deletions(text)
        return
    if language == "fortran":
        simple = r"(?:call |return$|exit$|cycle$|if \(.*\) (?!then)\w|[\w%]+(?:\(.*?\))? = )"
    else:
        simple = (
            r"(?!(?:for|while|if|return|switch) ?\()(?:goto |[\w*(][^ ]*(?: [-+|]?= |\(|\+\+;))"
        )
    for start, end, _ in procedures:
        offset = start
        for statement in _statements(text[start:end], language):
            body = statement.strip()
            whole = language == "fortran" or body.endswith(";")
            if whole and "::" not in body and re.match(simple, body):
                begin = offset + len(statement) - len(statement.lstrip())
                yield begin, begin + len(body), ""
            offset += len(statement)


def _statements(body: str, language: str) -> Iterator[str]:
    """Cut a body into statements, each with its continuation lines."""
    statement = ""
    for line in body.splitlines(keepends=True):
        statement += line
        first, end = statement.lstrip()[:2], line.rstrip()[-2:]
        if language == "fortran":
            more = end.endswith("&")
        elif first == "/*":
            more = end != "*/"
        else:
            more = bool(end) and first[:1] != "#" and end[-1:] not in "{};:"
        if not more:
            yield statement
            statement = ""


def _python_deletions(text: str) -> Iterator[Edit]:
    starts = [0, *(m.end() for m in re.finditer("\n", text))]
    for node in ast.walk(ast.parse(text)):
        simple = isinstance(node, ast.Assign | ast.AugAssign | ast.Raise)
        call = isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
        span: ast.AST
        if isinstance(node, ast.Return) and node.value is not None:
            span = node.value
        elif simple or call:
            span = node
        else:
            continue
        assert isinstance(span, ast.stmt | ast.expr)
        start = starts[span.lineno - 1] + span.col_offset
        end = starts[(span.end_lineno or 0) - 1] + (span.end_col_offset or 0)
        yield start, end, "None" if isinstance(node, ast.Return) else "pass"
