"""What was checked, as sentences, and how many of them were true."""

import contextlib
import difflib
import traceback


class Report:
    """Counts checks and prints one line for each as it ends."""

    def __init__(self):
        self.passed = 0
        self.failed = 0

    @contextlib.contextmanager
    def check(self, sentence):
        """One sentence that holds unless the block raises; the scenario goes on either way."""
        try:
            yield
        except AssertionError as error:
            self._fail(sentence, str(error) or traceback.format_exc())
        except Exception:  # an unreadable answer falsifies the sentence as much as a wrong one
            self._fail(sentence, traceback.format_exc())
        else:
            self.passed += 1
            print(f"  ok    {sentence}", flush=True)

    def _fail(self, sentence, reason):
        self.failed += 1
        print(f"  FAIL  {sentence}", flush=True)
        for line in reason.rstrip().splitlines():
            print(f"        {line}", flush=True)


def equal(found, expected, what="value"):
    """Fails with both sides, one above the other, or for long lists of lines with their difference."""
    if found != expected and isinstance(found, list) and len(found) > 10:
        difference = difflib.unified_diff(expected, found, "expected", "found", lineterm="", n=1)
        raise AssertionError(f"{what}\n" + "\n".join(map(str, difference)))
    assert found == expected, f"{what}\n  found    {found!r}\n  expected {expected!r}"


def close(found, expected, tolerance, what="value"):
    """Fails unless two numbers differ by no more than the tolerance."""
    assert abs(found - expected) <= tolerance, f"{what}\n  found    {found!r}\n  expected {expected!r} ± {tolerance}"
