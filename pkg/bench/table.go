package bench

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// Write prints the report for people.
func (r *Report) Write(w io.Writer) error {
	l := r.Workload
	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	t.Style().Format.Header = text.FormatDefault
	t.AppendHeader(table.Row{"", "figure", "median", "", "runs"})
	t.SetColumnConfigs([]table.ColumnConfig{{Number: 3, Align: text.AlignRight}})
	section := ""
	for rest := r.Figures; len(rest) > 0; {
		row := rest[:rowLength(rest)]
		rest = rest[len(row):]
		first := ""
		if row[0].Section != section {
			if section != "" {
				t.AppendSeparator()
			}
			section, first = row[0].Section, row[0].Section
		}
		t.AppendRow(table.Row{first, rowName(row), rowValue(row, func(f Figure) float64 { return f.Value }), row[0].Unit, rowRuns(row)})
	}
	_, err := fmt.Fprintf(w, "%d events, %d accounts, Zipf %v, %v duplicate, %v late, seed %d; model %s; %d processors, %s/%s, %s\n%s\n",
		l.Events, l.Accounts, l.Zipf, l.Duplicates, l.Disorder, l.Seed, r.Model,
		r.Machine.Processors, r.Machine.OS, r.Machine.Arch, r.Machine.Go, t.Render())
	if err == nil && len(r.Aims) > 0 {
		_, err = fmt.Fprintln(w, r.aimTable())
	}
	for _, note := range r.Notes {
		if err == nil {
			_, err = fmt.Fprintln(w, "note:", note)
		}
	}
	return err
}

// aimTable is what should be, what is, and whether that will do.
func (r *Report) aimTable() string {
	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	t.Style().Format.Header = text.FormatDefault
	t.AppendHeader(table.Row{"aim", "figure", "median", "aim", "", ""})
	t.SetColumnConfigs([]table.ColumnConfig{{Number: 3, Align: text.AlignRight}})
	for _, a := range r.Aims {
		value := "–"
		if a.Value != nil {
			value = number(*a.Value)
		}
		verdict := string(a.Verdict)
		if a.Smaller && a.Value != nil {
			verdict += ", in a smaller run"
		}
		t.AppendRow(table.Row{a.What, a.Section + ": " + a.Figure, value, a.Relation + " " + number(a.Aim), a.Unit, verdict})
	}
	return t.Render()
}

// rowLength is how many of the figures go into one row: the quantiles of one
// distribution do.
func rowLength(figures []Figure) int {
	n := 1
	for n < len(figures) && figures[0].Quantile != "" && figures[n].Quantile != "" &&
		figures[n].Section == figures[0].Section && figures[n].Name == figures[0].Name {
		n++
	}
	return n
}

func rowName(row []Figure) string {
	if row[0].Quantile == "" {
		return row[0].Name
	}
	names := make([]string, len(row))
	for i, f := range row {
		names[i] = f.Quantile
	}
	return row[0].Name + ", " + strings.Join(names, " / ")
}

func rowValue(row []Figure, value func(Figure) float64) string {
	texts := make([]string, len(row))
	for i, f := range row {
		texts[i] = number(value(f))
	}
	return strings.Join(texts, " / ")
}

// rowRuns are the values of each run, if there was more than one.
func rowRuns(row []Figure) string {
	if len(row[0].Runs) < 2 {
		return ""
	}
	texts := make([]string, len(row[0].Runs))
	for run := range texts {
		texts[run] = rowValue(row, func(f Figure) float64 { return f.Runs[min(run, len(f.Runs)-1)] })
	}
	return strings.Join(texts, "   ")
}

// number writes a value with three or four digits that say something, thousands apart.
func number(v float64) string {
	if a := math.Abs(v); a < 100 && v != math.Trunc(v) {
		digits := 2
		for limit := 1.0; a < limit && digits < 6; limit /= 10 {
			digits++
		}
		return strconv.FormatFloat(v, 'f', digits, 64)
	}
	whole := strconv.FormatFloat(math.Abs(v), 'f', 0, 64)
	var out []byte
	for i := range len(whole) {
		if i > 0 && (len(whole)-i)%3 == 0 {
			out = append(out, ',')
		}
		out = append(out, whole[i])
	}
	if v < 0 {
		return "-" + string(out)
	}
	return string(out)
}
