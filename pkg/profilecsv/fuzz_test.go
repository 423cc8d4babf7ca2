package profilecsv_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"tidemark/pkg/profilecsv"
	"tidemark/streams/codec"
)

// FuzzFile looks for a file that panics, or that is read through without an error and
// does not give a usable profile for each of its rows, the same ones again.
func FuzzFile(f *testing.F) {
	for _, seed := range []string{
		"account,domains,employees\nacme.example,a.b;c.d,5\n", "\ufeffaccount,zip:text,tags:list,public:boolean,size:number\na,007,x; y,TRUE,1.50\nb,,,false,\n",
		"account\n\n", "", "a,b\n1,2,3\n", "account,parent\n\"a\nb\",\"x\"\"y\"\n", "account,account\nx,y\n", "account;domain\na;b\n", "account,n\na,1e400\nA,-0.0\n",
		"account,domain\na,ä.example\n\xff,\x00\n", "account,x:\n a ,{\"\n",
	} {
		f.Add([]byte(seed))
	}
	at := time.Date(2026, 11, 1, 9, 30, 0, 0, time.UTC)
	d := codec.New(codec.Rules{})
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := profilecsv.Check("f.csv", bytes.NewReader(data))
		if err != nil {
			return
		}
		read := func() (all [][]byte, err error) {
			err = file.Events(bytes.NewReader(data), "/crm", at, func(e profilecsv.Event) error {
				event, bad := d.DecodeLine(e.Value, at.UnixMilli())
				if bad != nil || event.Account != e.Account || event.Profile == nil {
					t.Fatalf("line %d: %v, account %q, of %s", e.Line, bad, e.Account, e.Value)
				}
				all = append(all, e.Value)
				return nil
			})
			return all, err
		}
		// The command reads a file through before it publishes any of it.
		once, err := read()
		if err != nil {
			if !strings.HasPrefix(err.Error(), "f.csv:") {
				t.Fatalf("an error without a line: %v", err)
			}
			return
		}
		again, err := read()
		if err != nil {
			t.Fatalf("read through once, and then: %v", err)
		}
		if len(once) != file.Rows() || !bytes.Equal(bytes.Join(once, []byte("\n")), bytes.Join(again, []byte("\n"))) {
			t.Fatalf("%d profiles of %d rows, or not the same twice", len(once), file.Rows())
		}
	})
}
