package luagen

import "github.com/redbud-go/redbud/internal/graph"

func Source(p *graph.Program) string { return "" }
