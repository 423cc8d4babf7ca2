package profilecsv_test

import (
	"strings"
	"testing"
	"time"

	"tidemark/pkg/profilecsv"
)

const good = "\ufeffaccount,domains,parent,industry,employees,public,zip,technologies:list,code:text\n" +
	"Acme.example,acme.example; acme.test,Holding,fintech,200,true,01234,salesforce;sap,7\n" +
	"birch.example,,,\"retail, \"\"fresh\"\"\",0.5,FALSE,9000,,\n"

var day = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

func events(t *testing.T, text string) (out []string) {
	t.Helper()
	f, err := profilecsv.Check("crm.csv", strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	err = f.Events(strings.NewReader(text), "crm", day, func(e profilecsv.Event) error {
		out = append(out, string(e.Value))
		return nil
	})
	if err != nil || len(out) != f.Rows() {
		t.Fatalf("got %d events of %d rows, %v", len(out), f.Rows(), err)
	}
	return out
}

func TestEvents(t *testing.T) {
	t.Parallel()
	got := events(t, good)
	want := []string{
		`"subject":"acme.example","data":{"attributes":{"code":"7","employees":200,"industry":"fintech","public":true,"technologies":["salesforce","sap"],"zip":"01234"},"domains":["acme.example","acme.test"],"parent":"Holding"}}`,
		`"subject":"birch.example","data":{"attributes":{"employees":0.5,"industry":"retail, \"fresh\"","public":false,"zip":"9000"}}}`,
	}
	for i := range want {
		if !strings.HasSuffix(got[i], want[i]) || !strings.Contains(got[i], `"source":"crm","type":"account.profile","time":"2026-11-01T12:00:00.000Z"`) {
			t.Errorf("got  %s\nwant %s", got[i], want[i])
		}
	}
	again := events(t, good)
	if again[0] != got[0] || again[1] != got[1] || got[0][:80] == got[1][:80] {
		t.Errorf("got %s\nand then %s", got, again)
	}
}

func TestFaultsNameLineAndColumn(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                                         "crm.csv:1:1: the file is empty: a header is expected",
		"account\n":                                "crm.csv:1:1: no row below the header",
		"name\nx\n":                                "crm.csv:1:1: no column is named account",
		"account,a,a\nx,1,2\n":                     `crm.csv:1:11: column "a" is here twice: first as column 2`,
		"account,\nx,1\n":                          "crm.csv:1:9: column 2 has no name",
		"account,a:date\nx,1\n":                    `crm.csv:1:9: column "a": "date" is not one of text, number, boolean and list`,
		"account:text\nx\n":                        `crm.csv:1:1: column "account" takes no type`,
		"account,a\nx,1\ny\n":                      "crm.csv:3:1: 1 cells, the header has 2",
		"account,a\n,1\n":                          "crm.csv:2:1: account: is empty",
		"account,a\nx,1\n\"y\nz\",2\n X ,3\n":      `crm.csv:5:1: account: "x" is on line 2 too`,
		"account,domain\nx,acme.example;a..b\n":    `crm.csv:2:3: "a..b" is not a domain name`,
		"account,a:number\nx,07\n":                 `crm.csv:2:3: a: "07" is not a number`,
		"account,a:boolean\nx,yes\n":               `crm.csv:2:3: a: "yes" is neither true nor false`,
		"account,a\nx,\"1\n":                       "crm.csv:2:6: extraneous or missing \" in quoted-field",
		"account,a\n" + strings.Repeat(",1\n", 30): "crm.csv: 10 more faults",
	} {
		_, err := profilecsv.Check("crm.csv", strings.NewReader(text))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %s", text, err, want)
		}
	}
}

func TestWhatOnlyAnEventShows(t *testing.T) {
	t.Parallel()
	text := "account\n" + strings.Repeat("a", 300) + "\n"
	f, err := profilecsv.Check("crm.csv", strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	err = f.Events(strings.NewReader(text), "crm", day, func(profilecsv.Event) error { return nil })
	if err == nil || err.Error() != "crm.csv:2: subject: 300 bytes, at most 256 are allowed" {
		t.Errorf("got %v", err)
	}
}
