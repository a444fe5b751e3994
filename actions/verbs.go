package actions

import (
	"slices"

	"cowscope/actions/expect"
	"cowscope/actions/lang"
	"cowscope/actions/verb"
)

// AllVerbs are the verbs of the language: actions and expectations.
var AllVerbs = slices.Concat(verb.All, expect.All)

// Grammar is the language of AllVerbs.
func Grammar() (*lang.Grammar, error) {
	verbs := make([]lang.Verb, len(AllVerbs))
	for i, a := range AllVerbs {
		verbs[i] = a.Verb
	}
	return lang.NewGrammar(verbs)
}

// systemCalls are the numbers of the system calls that AllVerbs make.
func systemCalls() []uintptr {
	var all []uintptr
	for _, a := range AllVerbs {
		all = append(all, a.Calls...)
	}
	return all
}

// firstArguments are the permitted first arguments of those calls that have a restriction.
func firstArguments() map[uintptr][]uint32 {
	all := map[uintptr][]uint32{}
	for _, a := range AllVerbs {
		for _, nr := range a.Calls {
			if a.Only != nil {
				all[nr] = append(all[nr], a.Only...)
			}
		}
	}
	return all
}

func actionOf(verb string) *verb.Action {
	for _, a := range AllVerbs {
		if a.Name == verb {
			return a
		}
	}
	return nil
}
