package domain_test

import (
	"strings"
	"testing"

	"tidemark/pkg/domain"
)

func TestParentsEndAtTheRegistrableDomain(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"mail.eu.acme.co.uk":   "eu.acme.co.uk acme.co.uk",
		"acme.co.uk":           "",
		"acme.com":             "",
		"eu.acme.com":          "acme.com",
		"a.acme.example":       "acme.example", // an unlisted end counts as a suffix of one label
		"localhost":            "",
		"co.uk":                "",
		"shop.acme.github.io":  "acme.github.io", // everybody registers under github.io
		"acme.github.io":       "",
		"mail.acme.公司.cn":      "acme.公司.cn",
		"acme.公司.cn":           "",
		"a.bücher.example":     "bücher.example",
		"a.b.city.kawasaki.jp": "b.city.kawasaki.jp city.kawasaki.jp", // an exception of the list
		"192.0.2.1":            "",
	} {
		var got []string
		for p := domain.Parent(name); p != ""; p = domain.Parent(p) {
			got = append(got, p)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: got parents %v, want %s", name, got, want)
		}
	}
}

func TestNobodys(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{
		"co.uk": true, "com": true, "公司.cn": true, "xn--55qx5d.cn": true, "kawasaki.jp": false, "x.kawasaki.jp": true,
		"192.0.2.1": true, "2001:db8::1": true,
		"acme.co.uk": false, "acme.com": false, "github.io": false, "uk.com": false, "localhost": false, "acme.example": false, "1.acme": false,
	} {
		if got := domain.Nobodys(name); got != want {
			t.Errorf("%s: got %v, want %v", name, got, want)
		}
	}
}

func TestFreemail(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{
		"gmail.com": true, "yahoo.co.uk": true, "gmx.de": true, "mailinator.com": true, // of the kept list
		"hey.com": true, "tuta.com": true, // of our own
		"alibaba.com": false, "space.com": false, // companies
		"acme.com": false, "mail.acme.com": false, "": false, "#": false,
	} {
		if got := domain.Freemail(name); got != want {
			t.Errorf("%q: got %v, want %v", name, got, want)
		}
	}
}

func BenchmarkQuestions(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		domain.Freemail("acme.co.uk")
		domain.Nobodys("acme.co.uk")
		domain.Parent("acme.co.uk")
	}
}
