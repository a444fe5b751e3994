package lesson

import (
	"context"
	"slices"

	"cowscope/actions"
	"cowscope/vmspace"
)

// The answers offered for an access: everything that the kernel could do, and common
// misconceptions. They are in the order of vmspace's table, so that their position reveals nothing.

// mostChoices is the number of offered answers, unless more than these could happen.
const mostChoices = 4

// beliefs are what people expect of an access, the most common first.
var beliefs = map[vmspace.Access][]vmspace.Happening{
	vmspace.Load:  {vmspace.NoFault, vmspace.ZeroFill, vmspace.ZeroMap, vmspace.AccErr, vmspace.MapErr},
	vmspace.Store: {vmspace.NoFault, vmspace.Copy, vmspace.ZeroFill, vmspace.AccErr, vmspace.Reuse},
	vmspace.Fetch: {vmspace.NoFault, vmspace.AccErr, vmspace.MapErr, vmspace.MapPage},
}

func (r performer) accessChoices(ctx context.Context, it *Item) ([]choice, error) {
	c := it.Commands[0]
	p, err := r.Foresee(ctx, c.Text)
	if err != nil {
		if _, err = misfit(c, err); err != nil {
			return nil, err
		}
	}
	a, err := accessOf(c)
	if err != nil {
		return nil, err
	}
	offered := slices.Clone(p.Can)
	for _, h := range beliefs[a] {
		if len(offered) < mostChoices && !slices.Contains(offered, h) {
			offered = append(offered, h)
		}
	}
	var out []choice
	for _, h := range vmspace.Happenings {
		if slices.Contains(offered, h.Name) {
			out = append(out, choice{text: h.Sentence, what: h.Name})
		}
	}
	return out, nil
}

// accessOf is the kind of access that a command makes.
func accessOf(c Command) (vmspace.Access, error) {
	g, err := actions.Grammar()
	if err != nil {
		return 0, err
	}
	cmd, err := g.Parse(c.Text)
	if err != nil {
		return 0, err
	}
	a, _ := actions.AccessOf(cmd)
	return a, nil
}
