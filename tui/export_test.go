package tui

// RunWith runs the screen on any lab in the terminal, for tests in a process of their own.
func RunWith(lab Lab) error {
	m, err := New(lab, Options{})
	if err != nil {
		return err
	}
	return runProgram(m, false)
}

// FramesPerSecond is how often the screen is drawn at most.
const FramesPerSecond = framesPerSecond

// DemoWords are the words that a demo has beside the language.
func DemoWords() (words []string) {
	for _, w := range demoWords {
		words = append(words, w.word)
	}
	return words
}
