package scoring_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"tidemark/scoring"
	"tidemark/scoring/naive"
)

func instant(ms int64) string { return time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05.000Z") }

func describe(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

func describeEvent(e *scoring.Event) string {
	kinds := []string{"event", "profile", "erasure", "tombstone", "outcome"}
	text := fmt.Sprintf("%s %s %s%s at %s arrived %s strength %v", kinds[e.Kind], e.Type, e.Source, e.ID, instant(e.Time), instant(e.Arrived), e.Strength)
	if e.Contact != nil {
		text += fmt.Sprintf(" contact %+v", *e.Contact)
	}
	if e.Properties != nil {
		text += fmt.Sprintf(" properties %v", e.Properties)
	}
	if e.Profile != nil {
		text += fmt.Sprintf(" attributes %v", e.Profile.Attributes)
	}
	return text + strings.Join(e.Erased(), ",")
}

func figureText(x *float64) string {
	if x == nil {
		return "null"
	}
	return fmt.Sprint(*x)
}

func instantText(x *int64) string {
	if x == nil {
		return "null"
	}
	return instant(*x)
}

func crossings(xs []scoring.Crossing) string {
	var out []string
	for _, x := range xs {
		out = append(out, fmt.Sprintf("{%d %s %s→%s at %s score %v threshold %s demotes %s %s %s}", x.Seq, x.Cause.Kind, x.From, x.To,
			instant(x.At), x.Score, figureText(x.Threshold), instantText(x.DemotesAt), x.Cause.ID, strings.Join(x.Cause.Signals, "+")))
	}
	return fmt.Sprint(out)
}

func twinCrossings(xs []naive.Crossing) string {
	var out []string
	for _, x := range xs {
		out = append(out, fmt.Sprintf("{%d %s %s→%s at %s score %v threshold %s demotes %s %s}", x.Seq, x.Cause, x.From, x.To,
			instant(x.At), x.Score, figureText(x.Threshold), instantText(x.DemotesAt), x.EventID))
	}
	return fmt.Sprint(out)
}
