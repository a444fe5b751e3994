package lang

import "testing"

func BenchmarkParse(b *testing.B) {
	g := sampleGrammar(b)
	for b.Loop() {
		if _, err := g.Parse("a = mmap 4p rw private anon addr=0x10000000"); err != nil {
			b.Fatal(err)
		}
	}
}
