package cli

// MainWith is Main with further parts of the pipeline.
var MainWith = mainWith
