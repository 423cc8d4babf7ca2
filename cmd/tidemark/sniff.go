package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"tidemark/pkg/app"
	"tidemark/pkg/config"
	"tidemark/pkg/sniff"
	"tidemark/scoring"
	"tidemark/streams/codec"
)

type topicsSniffCmd struct {
	configFlags
	Topic  string `arg:"" help:"The topic to look at; it need not be an input yet."`
	Sample int    `default:"500" help:"How many of the latest records to read, of all partitions together."`
}

// Run reads a sample and says what it is. It joins no group and changes nothing.
func (c *topicsSniffCmd) Run(s *streams) error {
	cfg, log, err := c.loadLogged(s)
	if err != nil {
		return err
	}
	if c.Sample < 1 {
		return usageError{fmt.Errorf("--sample: %d is not positive", c.Sample)}
	}
	m, _, err := openModel(cfg.Model)
	if err != nil {
		return err
	}
	formats, configured, err := candidates(cfg, c.Topic)
	if err != nil {
		return err
	}
	records, err := app.Sample(s.ctx, cfg, log, c.Topic, c.Sample)
	if err != nil {
		return err
	}
	if len(records) == 0 {
		_, err := fmt.Fprintf(s.out, "%s is empty\n", c.Topic)
		return err
	}
	return c.write(s.out, m, sniff.Look(records, formats, m, codec.Rules{
		Now:             func() int64 { return time.Now().UnixMilli() },
		FutureTolerance: cfg.Events.FutureTolerance.Milliseconds(), MaxEventAge: cfg.Events.MaxAge.Milliseconds(),
		MaxBytes: int(cfg.Events.MaxBytes), ProfilesTopic: cfg.Kafka.Topics.Profiles,
	}), configured)
}

// candidates are the formats to try, the configured one first, and what the
// configuration says of the topic.
func candidates(cfg config.Config, topic string) (formats []sniff.Format, configured string, err error) {
	known, err := app.Formats(cfg)
	if err != nil {
		return nil, "", usageError{err}
	}
	configured = "it is no input"
	for _, name := range cfg.Kafka.InputTopics() {
		if name == topic {
			configured = "configured as " + config.FormatCloudEvents
		}
	}
	for _, in := range cfg.Kafka.Inputs {
		if in.Topic == topic {
			configured = "configured as " + in.Format
			if in.Format == config.FormatMapped {
				formats = append(formats, sniff.Format{Name: config.FormatMapped, Format: known[topic]})
				configured += " by " + in.Mapping
			}
		}
	}
	return append(formats, sniff.Format{Name: config.FormatCloudEvents}, sniff.Format{Name: config.FormatSegment, Format: codec.Segment()}), configured, nil
}

func (c *topicsSniffCmd) write(w io.Writer, m *scoring.Model, r *sniff.Report, configured string) error {
	fmt.Fprintf(w, "%d records of %s, %d of them without a value (%s)\n", r.Records, c.Topic, r.Tombstones, configured)
	if r.Format != "" {
		fmt.Fprintf(w, "format: %s, which reads %d of %d; they hold %d events\n", r.Format, r.Read, r.Records-r.Tombstones, r.Events)
	} else {
		fmt.Fprintf(w, "format: none that reads half of them (the best reads %d)\n", r.Read)
	}
	if len(r.Types) > 0 {
		fmt.Fprintf(w, "\nwhat the model %s matches:\n", m.Name())
		table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		fmt.Fprintln(table, "TYPE\tEVENTS\tMATCHED\tBY DOMAIN\tNO PERSON\tWHY\tPROPERTIES")
		for i := range r.Types {
			t := &r.Types[i]
			fmt.Fprintf(table, "%s\t%d\t%d\t%d\t%d\t%s\t%s\n", t.Name, t.Events, t.Matched, t.ByDomain, t.Nobody, t.Why(), strings.Join(t.Members, " "))
		}
		if err := table.Flush(); err != nil {
			return err
		}
	}
	if len(r.Faults) > 0 {
		fmt.Fprintln(w, "\nwhat would be dead letters:")
		for _, f := range r.Faults {
			fmt.Fprintf(w, "%s: %d, the first: %s\n", f.Reason, f.Count, f.Message)
		}
	}
	return c.next(w, r, configured)
}

// next says what to configure.
func (c *topicsSniffCmd) next(w io.Writer, r *sniff.Report, configured string) error {
	var err error
	switch {
	case r.Mapping != "":
		_, err = fmt.Fprintf(w, "\na mapping to start from, for a file that TIDEMARK_KAFKA_INPUTS=%s=mapped:FILE names:\n\n%s", c.Topic, r.Mapping)
	case r.Format == "":
		_, err = fmt.Fprintln(w, "\nthe values are no JSON objects: nothing here can be read")
	case !strings.HasPrefix(configured, "configured as "+r.Format):
		_, err = fmt.Fprintf(w, "\nto read it: TIDEMARK_KAFKA_INPUTS=%s=%s\n", c.Topic, r.Format)
	}
	return err
}
