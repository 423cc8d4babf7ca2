package api

import (
	"context"
	"net/http"

	"github.com/rs/zerolog"
)

// ModelPath is where the model in force is served.
const ModelPath = "/api/v1/model"

// Models tells of the model in force.
type Models interface {
	Model(ctx context.Context) (*Model, error)
}

// Model is the model in force.
type Model struct {
	ModelRef
	EffectiveAt string `json:"effective_at"`
	// Stage is how far it has come into force: announced (accounts stand under the one
	// before), switched (each is put under it before its next event) or adopted.
	Stage   string      `json:"stage"`
	Tiers   []ModelTier `json:"tiers"`             // best first
	Classes []string    `json:"classes,omitempty"` // of the portfolio, best first
	Source  string      `json:"source"`            // the file as it was written
}

// ModelTier is a tier of the model.
type ModelTier struct {
	Tier string   `json:"tier"`
	Min  *float64 `json:"min"` // null for the last
	MQA  bool     `json:"mqa"`
}

// ModelRoom serves the model in force:
//
//	GET /api/v1/model
func ModelRoom(from Models, access Access, log zerolog.Logger) *Room {
	log = log.With().Str("component", "api").Logger()
	return newRoom(ModelPath, access, Route{http.MethodGet, ModelPath, func(w http.ResponseWriter, r *http.Request) {
		err := eachParameter(r, "none", func(string, string) (bool, error) { return false, nil })
		fail := func(w http.ResponseWriter, err error) { unanswered(w, log, err, "the store cannot be read; try again") }
		answer(w, r, err, fail, func(ctx context.Context) (any, error) { return from.Model(ctx) })
	}})
}
