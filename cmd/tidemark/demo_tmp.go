package main

type demoCmd struct{}

func (c *demoCmd) Run(s *streams) error { return nil }
