package server

import "net/http"

// Whole is all that answers requests, as http.Server has it.
func (s *Server) Whole() http.Handler { return s.http.Handler }

// SetSitemapPiece makes the files of the sitemap small.
func SetSitemapPiece(c *Config, n int) { c.sitemapPiece = n }
