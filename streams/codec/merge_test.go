package codec_test

import (
	"fmt"
	"testing"

	"tidemark/scoring"
	"tidemark/streams/codec"
)

func TestMergesAreRead(t *testing.T) {
	t.Parallel()
	d := codec.New(codec.Rules{})
	for _, row := range []struct {
		about, into string
		reason      codec.Reason
	}{
		{`"subject":" Acct-17 ","data":{"into":" ACCT-42 "}`, "acct-42", ""},
		{`"data":{"into":"acct-42"}`, "", codec.NoAccount},
		{`"subject":"acct-17"`, "", codec.MissingAttribute},
		{`"subject":"acct-17","data":{"into":" "}`, "", codec.MissingAttribute},
		{`"subject":"acct-17","data":{"into":null}`, "", codec.MissingAttribute},
		{`"subject":"acct-17","data":{"into":42}`, "", codec.BadAttribute},
		{`"subject":"acct-17","data":[]`, "", codec.BadAttribute},
		{`"subject":"acct-17","data":{"into":"a\u0000b"}`, "", codec.BadAttribute},
		{`"subject":"acct-17","data":{"into":"ACCT-17"}`, "", codec.BadAttribute},
	} {
		line := fmt.Appendf(nil, `{"specversion":"1.0","id":"m","source":"/crm","type":"account.merged","time":"2026-11-02T09:30:00Z",%s}`, row.about)
		e, fault := d.DecodeLine(line, 0)
		switch {
		case fault != nil:
			if fault.Reason != row.reason {
				t.Errorf("%s: got %v, want %q", row.about, fault, row.reason)
			}
		case row.reason != "" || e.Kind != scoring.KindMerge || e.Account != "acct-17" || e.Into() != row.into:
			t.Errorf("%s: got %+v, want into %q, reason %q", row.about, e, row.into, row.reason)
		}
	}
}
