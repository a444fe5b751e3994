package actions

import (
	"slices"

	"cowscope/actions/expect"
	"cowscope/actions/lang"
	"cowscope/actions/verb"
)

// AllVerbs are the verbs of the language: those that act, and those that look.
var AllVerbs = slices.Concat(verb.All, expect.All)

// Grammar is the language of AllVerbs.
func Grammar() (*lang.Grammar, error) {
	verbs := make([]lang.Verb, len(AllVerbs))
	for i, a := range AllVerbs {
		verbs[i] = a.Verb
	}
	return lang.NewGrammar(verbs)
}

// systemCalls are the calls of AllVerbs.
func systemCalls() []uintptr {
	var all []uintptr
	for _, a := range AllVerbs {
		all = append(all, a.Calls...)
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
