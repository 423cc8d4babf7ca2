package audience

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/rs/zerolog"
)

var update = flag.Bool("update", false, "rewrite the golden bodies in testdata")

// What the audience of the example file is sent is as the golden file has it.
func TestBodiesOfTemplates(t *testing.T) {
	t.Parallel()
	path := filepath.Join("..", "..", "configs", "audiences", "audiences.yaml")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	list, err := Parse(path, text, func(string) string { return "Bearer token" })
	if err != nil {
		t.Fatal(err)
	}
	s := NewSync(NewKeeper(nil, list, "tm"), list[0], nil, zerolog.Nop())
	m, err := s.message([]Change{
		{Account: "acme.example", Add: true, Profile: map[string]any{"company_name": "Acme & Söhne", "country": "DE"}, n: 1},
		{Account: "other.example", n: 4},
	})
	if err != nil {
		t.Fatal(err)
	}
	got, golden := list[0].Endpoint.target.Describe(m), filepath.Join("testdata", "linkedin.golden")
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
