package bench

import (
	"slices"
	"time"
)

// Figure is one measured quantity.
type Figure struct {
	Section string `json:"section"`
	Name    string `json:"name"`
	// Quantile is which of a distribution's quantiles this is; empty: none.
	Quantile string `json:"quantile,omitempty"`
	Unit     string `json:"unit"`
	// Value is the median of Runs.
	Value float64   `json:"value"`
	Runs  []float64 `json:"runs"`
}

// Report is everything that a bench found.
type Report struct {
	Time     time.Time `json:"time"`
	Machine  Machine   `json:"machine"`
	Workload Workload  `json:"workload"`
	Model    string    `json:"model"`
	Figures  []Figure  `json:"figures"`
	// Aims are those of the sections that ran.
	Aims []Aim `json:"aims,omitempty"`
	// Notes are what a reader of the figures must know.
	Notes []string `json:"notes,omitempty"`
}

// Machine is what the figures were measured on.
type Machine struct {
	Processors int    `json:"processors"`
	OS         string `json:"os"`
	Arch       string `json:"arch"`
	Go         string `json:"go"`
}

// add notes one run's value of a figure.
func (r *Report) add(section, name, unit string, value float64) {
	r.addTo(Figure{Section: section, Name: name, Unit: unit}, value)
}

func (r *Report) addTo(which Figure, value float64) {
	i := slices.IndexFunc(r.Figures, which.same)
	if i < 0 {
		i = r.end(which.Section)
		r.Figures = slices.Insert(r.Figures, i, which)
	}
	f := &r.Figures[i]
	f.Runs = append(f.Runs, value)
	f.Value = median(f.Runs)
}

// end is where a section's next figure goes: behind its others.
func (r *Report) end(section string) int {
	for i := len(r.Figures); i > 0; i-- {
		if r.Figures[i-1].Section == section {
			return i
		}
	}
	return len(r.Figures)
}

func (f Figure) same(g Figure) bool {
	return f.Section == g.Section && f.Name == g.Name && f.Quantile == g.Quantile
}

// latest is the value that a figure was given last; 0 where there is none.
func (r *Report) latest(section, name string) float64 {
	i := slices.IndexFunc(r.Figures, Figure{Section: section, Name: name}.same)
	if i < 0 {
		return 0
	}
	runs := r.Figures[i].Runs
	return runs[len(runs)-1]
}

// note adds a remark, once.
func (r *Report) note(text string) {
	if !slices.Contains(r.Notes, text) {
		r.Notes = append(r.Notes, text)
	}
}

func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	v := slices.Sorted(slices.Values(values))
	n := len(v)
	return (v[(n-1)/2] + v[n/2]) / 2
}
