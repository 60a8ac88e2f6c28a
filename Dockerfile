# A static binary on an image with certificates, time zones and a user only.
FROM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=dev
RUN CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.version=${VERSION}" -o /explorer .

FROM gcr.io/distroless/static-debian12:nonroot
COPY --from=build /explorer /explorer
USER nonroot:nonroot
EXPOSE 8080 9090
ENTRYPOINT ["/explorer"]
CMD ["serve"]
