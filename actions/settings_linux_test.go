package actions

import (
	"os"
	"testing"

	"cowscope/actions/feature/machinetest"
	"cowscope/actions/verb"
)

// provider brings a feature that is missing only because nobody asked for it.
type provider struct {
	does    string
	provide func(*machinetest.Settings) error
}

var providers = map[string]provider{
	"swap": {"makes a swap device", func(s *machinetest.Settings) error { return s.Swap(16 << 20) }},
	"ksm": {"switches ksmd on", func(s *machinetest.Settings) error {
		const dir = "/sys/kernel/mm/ksm/"
		for _, c := range []struct{ name, value string }{{"sleep_millisecs", "1"}, {"pages_to_scan", "1000"}, {"run", "1"}} {
			if err := s.Set(dir+c.name, c.value); err != nil {
				return err
			}
		}
		return nil
	}},
	"hugetlb": {"lends the pool two huge pages", func(s *machinetest.Settings) error { return s.Set("/proc/sys/vm/nr_hugepages", "2") }},
}

// provide makes the features of a script that are missing, or skips the test with the reason.
func provide(t *testing.T, sc *Script) {
	t.Helper()
	for _, n := range sc.needs {
		require(t, n.features...)
	}
}

// require makes the features that are missing, or skips the test with the reason. It comes before
// the lab is opened: what is made goes after the lab.
func require(t *testing.T, features ...string) {
	t.Helper()
	for _, f := range features {
		p, provided := providers[f]
		if provided {
			machinetest.HoldToChange(t)
		}
		why, err := verb.Missing([]string{f})
		switch {
		case err != nil:
			t.Fatal(err)
		case why == "":
			continue
		case !provided || os.Getuid() != 0:
			t.Skipf("needs %s: %s", f, why)
		}
		if err := p.provide(machinetest.Change(t, p.does)); err != nil {
			t.Skipf("needs %s: %s, and it could not be made: %v", f, why, err)
		}
	}
}
