package subject

import (
	"errors"
	"testing"
)

func TestNoRights(t *testing.T) {
	inSubject(t, Config{}, func(p *Process) {
		if _, _, err := p.Rights(); !errors.Is(err, ErrNoRights) {
			t.Error(err)
		}
		if _, err := p.SetRights(0); !errors.Is(err, ErrNoRights) {
			t.Error(err)
		}
		alive(t, p)
	})
}
