package server

import (
	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"
)

// Content security policies. Answers of the API are not pages and load nothing; pages load only files of the binary.
// River UI and Swagger UI start with an inline script. Scripts create styles in all pages.
const (
	policyAPI   = "default-src 'none'; frame-ancestors 'none'"
	policyPages = "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; " +
		"base-uri 'self'; form-action 'self'; object-src 'none'; frame-ancestors "
	policyCommon  = policyPages + "'none'"
	policyEmbed   = policyPages + "*" // of the one page that other sites may frame
	policyUI      = policyCommon
	policyDocs    = policyCommon + "; script-src 'self' 'unsafe-inline'"
	policyRiverUI = policyCommon + "; script-src 'self' 'unsafe-inline'"
)

// secure sets the headers that restrict how browsers use an answer.
func secure(policy string) echo.MiddlewareFunc {
	set := middleware.SecureWithConfig(middleware.SecureConfig{
		ContentTypeNosniff: "nosniff", XFrameOptions: "DENY", HSTSMaxAge: 31536000, HSTSExcludeSubdomains: true,
		ContentSecurityPolicy: policy, ReferrerPolicy: "same-origin",
	})
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		next = set(next)
		return func(c echo.Context) error {
			c.Response().Header().Set("Cross-Origin-Opener-Policy", "same-origin")
			c.Response().Header().Set("Cross-Origin-Resource-Policy", "same-origin")
			return next(c)
		}
	}
}
