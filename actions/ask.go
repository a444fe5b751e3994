package actions

import (
	"context"

	"cowscope/actions/family"
	"cowscope/actions/history"
	"cowscope/actions/lang"
	"cowscope/actions/verb"
	"cowscope/vmspace"
)

// Questions to a session: the result of an expectation, and the possible outcomes of an access.
// Nothing runs in a subject, and the history does not change.

// Ask checks an expectation after the last step and returns the step that Do would have made of it.
func (s *Session) Ask(ctx context.Context, line string) (*history.Step, error) {
	cmd, err := s.grammar.Parse(line)
	if err != nil || cmd == nil {
		return nil, err
	}
	if !actionOf(cmd.Verb.Name).Check {
		return nil, cmd.ErrorAt(cmd.VerbSpan, cmd.Verb.Name+" does something, and only expectations are asked", "such as expect page a anon")
	}
	defer s.takeTurn()()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var step *history.Step
	err = s.do(func() error {
		step, err = s.perform(cmd)
		return err
	})
	return step, err
}

// Foresee predicts an access as if it ran now, for the first page that it touches.
func (s *Session) Foresee(ctx context.Context, line string) (vmspace.Prediction, error) {
	cmd, err := s.grammar.Parse(line)
	if err != nil || cmd == nil {
		return vmspace.Prediction{}, err
	}
	defer s.takeTurn()()
	if err := ctx.Err(); err != nil {
		return vmspace.Prediction{}, err
	}
	return Foretell(s.f, s.last(), cmd)
}

// Foretell predicts an access that a command would make after a step, for the first page that it touches.
func Foretell(f *family.Family, last *history.Step, cmd *lang.Command) (vmspace.Prediction, error) {
	access, ok := AccessOf(cmd)
	if !ok {
		return vmspace.Prediction{}, cmd.ErrorAt(cmd.VerbSpan, cmd.Verb.Name+" does not access memory", "use read, write, touch, fill or exec")
	}
	label := f.Current
	if cmd.Process != "" {
		label = cmd.Process
	}
	c := &verb.Call{F: f, Doing: family.Doing{P: f.Member(label)}, Cmd: cmd, Names: f.Names}
	if c.P == nil {
		return vmspace.Prediction{}, cmd.ErrorAt(cmd.ProcessSpan, "there is no process "+label, "there are: "+f.Labels())
	}
	addr, _, err := c.Place(cmd.Verb.Params[0].Name)
	if err != nil {
		return vmspace.Prediction{}, err
	}
	return last.Predict(label, addr, access), nil
}

// AccessOf is the kind of access that a command's own instruction makes; ok is false if the command
// is not an access.
func AccessOf(cmd *lang.Command) (a vmspace.Access, ok bool) {
	if a := actionOf(cmd.Verb.Name); a != nil && a.Access != nil {
		return a.Access(cmd), true
	}
	return 0, false
}

// IsCheck reports whether a command changes nothing: it only looks.
func IsCheck(cmd *lang.Command) bool {
	a := actionOf(cmd.Verb.Name)
	return a != nil && a.Check
}

// IsExpectation reports whether a command is an expectation.
func IsExpectation(cmd *lang.Command) bool {
	a := actionOf(cmd.Verb.Name)
	return a != nil && a.Expects
}
