package lag

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
)

// Write prints the report for people; its last line says what to do next.
func (r *Report) Write(w io.Writer) error {
	fmt.Fprintf(w, "group %s at %s, watched for %s\n\n", r.Group, r.At.Format(time.RFC3339), span(&r.Window))
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "PARTITION\tSTATUS\tRECORDS BEHIND\tSECONDS BEHIND\tPOSITION\tEND")
	for _, p := range r.Partitions {
		fmt.Fprintf(table, "%s\t%s\t%d\t%s\t%d\t%d\n", p.name(), p.Status, p.Records, number(p.Seconds), p.Position, p.End)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(w, "\n%d records wait, the oldest for %s; last checkpoint %s, last commit to Redis %s\n",
		r.Records, span(&r.Seconds), ago(r.Checkpoint), ago(r.Commit))
	if r.Outbox != nil {
		fmt.Fprintf(w, "unpublished tier changes: %d, the oldest for %s\n", r.Outbox.Entries, span(&r.Outbox.Seconds))
	}
	if r.Sweep != nil {
		fmt.Fprintf(w, "sweep delay: %s\n", span(&r.Sweep.Seconds))
	}
	r.writeRisk(w)
	for _, fault := range r.Faults {
		fmt.Fprintf(w, "not known: %s\n", fault)
	}
	line := "next: " + r.Next.Text
	if r.Next.Heading != "" {
		line += fmt.Sprintf(" (deploy/README.md, %q)", r.Next.Heading)
	}
	_, err := fmt.Fprintln(w, line)
	return err
}

func (r *Report) writeRisk(w io.Writer) {
	if r.Risk == nil {
		return
	}
	fmt.Fprintf(w, "accounts at risk: %d, which the waiting events would make MQAs (%d of the %d records that wait were looked at)\n",
		r.Risk.Accounts, r.Risk.Read, r.Risk.Waiting)
	if len(r.Risk.Names) > 0 {
		more := ""
		if r.Risk.Accounts > len(r.Risk.Names) {
			more = " …"
		}
		fmt.Fprintf(w, "  %s%s\n", strings.Join(r.Risk.Names, " "), more)
	}
}

func number(s *float64) string {
	if s == nil {
		return "?"
	}
	return fmt.Sprintf("%.1f", *s)
}

func span(s *float64) string {
	if s == nil {
		return "an unknown time"
	}
	d := time.Duration(*s * float64(time.Second))
	if d >= time.Minute {
		return d.Round(time.Second).String()
	}
	return d.Round(100 * time.Millisecond).String()
}

func ago(s *float64) string {
	if s == nil {
		return "unknown, or more than a day ago"
	}
	return span(s) + " ago"
}
