"""The data that a browser sends when a form of the admin is submitted."""

from html.parser import HTMLParser

NOT_SENT = {"submit", "button", "image", "reset", "file"}


class _Form(HTMLParser):
    """Collects the values of the fields in the form of a record or an action."""

    def __init__(self):
        super().__init__()
        self.values, self.is_within = {}, False
        self.select, self.textarea = None, None

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        name = attrs.get("name")
        if tag == "form":
            self.is_within = attrs.get("id", "").endswith("_form")  # Django's appointment_form
        elif not self.is_within or "disabled" in attrs:
            return
        elif tag == "input" and name:
            self._input(name, attrs)
        elif tag == "select":
            self.select = name
        elif tag == "option" and self.select and "selected" in attrs:
            self.values[self.select] = attrs.get("value", "")
        elif tag == "textarea":
            self.textarea, self.values[name] = name, ""

    def _input(self, name, attrs):
        kind = attrs.get("type", "text")
        is_choice = kind in ("checkbox", "radio")
        if kind not in NOT_SENT and (not is_choice or "checked" in attrs):
            self.values[name] = attrs.get("value", "on" if is_choice else "")

    def handle_data(self, data):
        if self.textarea:
            self.values[self.textarea] += data

    def handle_endtag(self, tag):
        if tag == "form":
            self.is_within = False
        elif tag == "select":
            self.select = None
        elif tag == "textarea" and self.textarea:
            # HTML leaves out the line break that follows the opening tag.
            self.values[self.textarea] = self.values[self.textarea].removeprefix("\n").strip("\r\n")
            self.textarea = None


def filled_form(client, address, **changes):
    """The fields of the form at `address` as the page shows them, with `changes`.

    The page itself says which inlines and hidden fields it has.
    """
    parser = _Form()
    parser.feed(client.get(address).content.decode())
    assert parser.values, f"{address} has no form"
    return parser.values | changes


def submit(client, address, **changes):
    """Opens the form at `address`, changes these fields and sends it back."""
    return client.post(address, filled_form(client, address, **changes))
