"""The screen of `otpguard top`."""

from __future__ import annotations

from typing import ClassVar

from textual.app import App, ComposeResult
from textual.binding import BindingType
from textual.screen import ModalScreen
from textual.widgets import DataTable, Footer, Input, Static
from textual.worker import get_current_worker

from streams.cases import live_floods
from streams.cases.store import store
from streams.cli.top_feed import COLUMNS, TopFeed, cells
from streams.common import OtpguardError, escape_unprintable, tr


class FloodPage(ModalScreen[None]):
    """Why one recipient is throttled."""

    BINDINGS: ClassVar[list[BindingType]] = [("escape,q", "dismiss", tr("Back"))]
    DEFAULT_CSS = "FloodPage { background: $background; overflow-y: auto; }"

    def __init__(self, lines: list[str]) -> None:
        super().__init__()
        self._text = "\n".join(map(escape_unprintable, lines))

    def compose(self) -> ComposeResult:
        yield Static(self._text, markup=False)
        yield Footer()


class TopScreen(App[OtpguardError]):
    """A list of floods below a few lines about the cluster, and a field that filters the list."""

    BINDINGS: ClassVar[list[BindingType]] = [
        ("s", "sort", tr("Sort")), ("slash", "focus('wanted')", tr("Filter")),
        ("escape", "focus('floods')", tr("Back")), ("q", "quit", tr("Quit")),
    ]  # fmt: skip
    CSS = "DataTable { height: 1fr; scrollbar-size: 0 0; }"
    ENABLE_COMMAND_PALETTE = False

    def __init__(self, feed: TopFeed) -> None:
        super().__init__()
        self._feed = feed
        self._sort, *self._others = store.ORDERS
        self._rows: dict[str, live_floods.FloodRow] = {}
        self._head = Static(markup=False)
        # Each cell ends with one space. With more around it, 80 columns are too few.
        self._table: DataTable[str] = DataTable(id="floods", cursor_type="row", cell_padding=0)
        self._wanted = Input(
            id="wanted", compact=True, placeholder=tr("number, rule or level to filter by")
        )

    def compose(self) -> ComposeResult:
        yield from (self._head, self._table, self._wanted, Footer())

    def on_mount(self) -> None:
        self._table.add_columns(*(f"{tr(name)} " for name in COLUMNS))
        self._table.focus()
        self.run_worker(self._follow, thread=True)

    def _follow(self) -> None:
        worker = get_current_worker()
        try:
            while not worker.is_cancelled:
                self._feed.step()
                frame = self._feed.frame(self._sort, self._wanted.value)
                self.call_from_thread(self.show, frame)
        except OtpguardError as error:  # A topic was made anew, or a right was taken away.
            self.call_from_thread(self.exit, error)

    def show(self, frame: live_floods.Frame) -> None:
        """Show a frame; the cursor stays at its flood."""
        order = tr("sorted by {order}").format(order=tr(self._sort))
        self._head.update("\n".join([*frame.lines(), order]))
        rows, table = {row.case.episode_id: row for row in frame.rows}, self._table
        if list(rows.items()) == list(self._rows.items()):  # the order counts too
            return
        at = dict(enumerate(self._rows)).get(table.cursor_row, "")
        table.clear()
        for name, row in rows.items():
            table.add_row(*(f"{escape_unprintable(cell)} " for cell in cells(row)), key=name)
        self._rows = rows
        if at in rows:
            table.move_cursor(row=list(rows).index(at))

    def action_sort(self) -> None:
        """Take the next order."""
        self._sort, *self._others = [*self._others, self._sort]

    def on_input_submitted(self) -> None:
        self._table.focus()

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        self.push_screen(FloodPage(self._feed.explain(str(event.row_key.value))))
