package history

import "testing"

func TestResult(t *testing.T) {
	for text, r := range map[string]Result{"": {}, "ok": OK, "timeout": Timeout, "exited": Exited, "refused": Refused, "failed": Failed,
		"ENOMEM": Errno("ENOMEM"), "E524": Errno("E524"), "SIGSEGV/ACCERR": Signal("SIGSEGV", "ACCERR"), "SIGTRAP": Signal("SIGTRAP", "")} {
		if got, err := ParseResult(text); err != nil || got != r || r.String() != text {
			t.Errorf("%q is %+v, %v, and is written %q", text, got, err, r.String())
		}
		if !r.Is(text) {
			t.Errorf("%q is not itself", text)
		}
	}
	for _, text := range []string{"OK", "enomem", "E/1", "11", "signal"} {
		if r, err := ParseResult(text); err == nil {
			t.Errorf("%q is %+v", text, r)
		}
	}
	if !Signal("SIGSEGV", "ACCERR").Is("SIGSEGV") || Errno("ENOMEM").Is("") {
		t.Error("a signal is not itself without its code, or an errno is nothing")
	}
}
