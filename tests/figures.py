"""Prints "passed failed seconds" of the junit file that pytest wrote; none at all has failed once."""
import sys
import xml.etree.ElementTree as tree


def figures(path):
    suite = tree.parse(path).getroot().find("testsuite")
    tests, skipped = int(suite.get("tests")), int(suite.get("skipped"))
    failed = int(suite.get("failures")) + int(suite.get("errors"))
    return tests - failed - skipped, failed if tests else 1, round(float(suite.get("time")))


try:
    print(*figures(sys.argv[1]))
except (OSError, tree.ParseError, AttributeError, TypeError):
    print(0, 1, 0)
