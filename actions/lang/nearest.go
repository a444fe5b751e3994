package lang

import "strings"

// Suggestions: the nearest word by edit distance, where swapping two adjacent characters is one
// edit. Words of C (MAP_PRIVATE, MADV_FREE) are mapped to their lower-case form here.

var constantPrefixes = []string{"map_", "madv_", "ms_", "mcl_", "mlock_", "mremap_", "prot_", "sig", "o_"}

// Nearest returns the known word nearest to a misspelt one, "" if none is near.
func Nearest(word string, known []string) string {
	if len(word) > 40 || word == "" {
		return ""
	}
	low := strings.ToLower(word)
	bare := low
	for _, p := range constantPrefixes {
		if rest, ok := strings.CutPrefix(low, p); ok && rest != "" {
			bare = rest
			break
		}
	}
	best, bestDist := "", 1<<30
	for _, k := range known {
		d := min(distance(low, strings.ToLower(k)), distance(bare, strings.ToLower(k)))
		if d < bestDist {
			best, bestDist = k, d
		}
	}
	if bestDist <= max(1, len(bare)/3) && bestDist < len(bare) {
		return best
	}
	for _, k := range known { // anonymous → anon, inv → invalidate
		l := strings.ToLower(k)
		if len(l) >= 3 && strings.HasPrefix(bare, l) || len(bare) >= 3 && strings.HasPrefix(l, bare) {
			return k
		}
	}
	return ""
}

// distance is the number of insertions, deletions, changes and swaps of adjacent characters between
// two words.
func distance(a, b string) int {
	prev2, prev, cur := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(a); i++ {
		cur[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			cur[j] = min(prev[j]+1, cur[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				cur[j] = min(cur[j], prev2[j-2]+1)
			}
		}
		prev2, prev, cur = prev, cur, prev2
	}
	return prev[len(b)]
}

// guess makes a hint: the nearest word if there is one, else what fits. Every part of
// MAP_PRIVATE|MAP_ANONYMOUS is guessed.
func guess(word string, known []string, fits string) string {
	if len(word) < 200 && strings.Contains(word, "|") {
		parts := strings.Split(word, "|")
		for i, p := range parts {
			if parts[i] = Nearest(p, known); parts[i] == "" {
				return fits
			}
		}
		return "did you mean " + strings.Join(parts, " ") + "?"
	}
	if n := Nearest(word, known); n != "" {
		return "did you mean " + n + "?"
	}
	return fits
}

// oneOf lists words for a message, of many only the first few.
func oneOf(words []string) string {
	const most = 40
	switch n := len(words); {
	case n == 0:
		return ""
	case n == 1:
		return words[0]
	case n > most:
		return strings.Join(words[:most], ", ") + "…"
	default:
		return strings.Join(words[:n-1], ", ") + " or " + words[n-1]
	}
}
