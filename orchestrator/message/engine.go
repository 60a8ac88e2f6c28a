package message

// engine has the messages of runs, ticks, sensors, checks, alerts, partitions, backfills and config.
var engine = map[string]string{ //nolint:gosec // texts, no credentials
	// Runs and steps.
	"run enqueued":                           "exécution mise en file",
	"run succeeded":                          "exécution réussie",
	"run canceled":                           "exécution annulée",
	"run canceled by %s":                     "exécution annulée par %s",
	"run failed: %s":                         "échec de l’exécution~: %s",
	"%s started":                             "%s démarré",
	"%s succeeded":                           "%s réussi",
	"%s failed":                              "échec de %s",
	"%s canceled":                            "%s annulé",
	"%s canceled: %s":                        "%s annulé~: %s",
	"%s skipped: %s":                         "%s omis~: %s",
	"%s requeued: %s":                        "%s remis en file~: %s",
	"materialized %s":                        "%s matérialisé",
	"canceled":                               "annulé",
	"canceled by %s":                         "annulé par %s",
	"failed":                                 "échec",
	"failed: %s":                             "échec~: %s",
	"timed out":                              "délai dépassé",
	"took longer than %s":                    "a duré plus de %s",
	"the run %s":                             "l’exécution %v",
	"run %s failed":                          "échec de l’exécution %s",
	"config: %w":                             "configuration~: %s",
	"did not stop":                           "ne s’est pas arrêté",
	"evaluation ended: %w":                   "l’évaluation a pris fin~: %s",
	"lost %d times; at last: %s":             "perdu %d fois; en dernier~: %s",
	"handed back by a worker that stops":     "rendu par un processus de travail qui s’arrête",
	"%s handed back by a worker that stops":  "%s rendu par un processus de travail qui s’arrête",
	"%s canceled; its worker is dead":        "%s annulé; son processus de travail est mort",
	"its end could not be recorded: %s":      "sa fin n’a pas pu être enregistrée~: %s",
	"metadata cannot be encoded as JSON":     "les métadonnées ne peuvent pas être encodées en JSON",
	"metadata cannot be encoded as JSON: %s": "les métadonnées ne peuvent pas être encodées en JSON~: %s",
	"the step belongs to another attempt":    "l’étape appartient à une autre tentative",
	"the attempt had just failed: %s":        "la tentative venait d’échouer~: %s",
	"%s failed, next attempt in %s: %s":      "échec de %s, prochaine tentative dans %s~: %s",
	"%d older lines are missing here: %s":    "%d lignes plus anciennes manquent ici~: %s",
	"the step has ended, was canceled, or belongs to another job": "l’étape est terminée, a été annulée ou appartient " +
		"à une autre tâche",
	"the run has no assets":           "l’exécution n’a pas d’actif",
	"run %s has ended already, as %s": "l’exécution %s est déjà terminée, avec l’état %s",
	"run %s is %s; only a run that has ended can be retried": "l’exécution %s est à l’état %s; seule une exécution " +
		"terminée peut être reprise",
	"every step of run %s succeeded: there is nothing to retry from": "toutes les étapes de l’exécution %s ont réussi~: " +
		"il n’y a rien à reprendre",
	"panic: %v": "erreur du programme~: %s",

	// Ticks, schedules and sensors.
	"nothing new":             "rien de nouveau",
	"evaluated by the engine": "évalué par le moteur",
	"refused: %s":             "refusé~: %s",
	"asked for %d runs at once: want %d at most, and the rest by way of the cursor": "" +
		"a demandé %d exécutions à la fois; %d au plus sont admises, et le reste au moyen du curseur",
	"an earlier evaluation has not returned, although it timed out: the function ignores its context": "une évaluation " +
		"antérieure n’est pas terminée, bien que son délai soit dépassé~: la fonction ne tient pas compte de son contexte",
	"sensor %q is being evaluated at this moment":        "le capteur %q est en cours d’évaluation",
	"another dry run of sensor %q has not ended":         "un autre essai à blanc du capteur %q n’est pas terminé",
	"sensor %q was changed while it was being evaluated": "le capteur %q a été modifié pendant son évaluation",
	"sensor %q is stopped: it takes no events":           "le capteur %q est arrêté~: il n’accepte pas d’événements",
	"event %d: %w":              "événement %d~: %s",
	"run %d of %d: %w":          "exécution %d de %d~: %s",
	"time zone %q is not known": "le fuseau horaire %q est inconnu",
	"cron %q: want five fields or @hourly, @daily, @weekly, @monthly": "cron %q~: il faut cinq champs, ou @hourly, " +
		"@daily, @weekly ou @monthly",
	"cron %q: %w":           "cron %q~: %s",
	"every job is disabled": "toutes les tâches sont désactivées",

	// Automation.
	"no partition is missing that it looks after": "aucune des partitions dont elle s’occupe ne manque",

	// Checks and alerts.
	"check %s of %s does not pass":  "le contrôle %s de %s ne passe pas",
	"Check %s of %s does not pass":  "Le contrôle %s de %s ne passe pas",
	"the check itself failed: %s":   "le contrôle lui-même a échoué~: %s",
	"this worker has no channel %q": "ce processus de travail n’a pas de canal %q",
	"the delivery is gone":          "l’envoi n’existe plus",

	// Backfills and partitions.
	"backfill %s is %s; only one that is %s can be": "le remplissage %s est à l’état %s; il faut l’état %s",
	"backfill %s has ended already, as %s":          "le remplissage %s est déjà terminé, avec l’état %s",
	"backfill %s is %s; only one that has ended can be retried": "" +
		"le remplissage %s est à l’état %s; seul un remplissage terminé peut être repris",
	"every partition of backfill %s succeeded: there is nothing to retry": "toutes les partitions du remplissage %s ont " +
		"réussi~: il n’y a rien à reprendre",
	"there is nothing to backfill: no partition is chosen": "il n’y a rien à remplir~: aucune partition n’est choisie",
	"key %q: want 1 to 100 characters without %q, line breaks or white space around them": "clé %q~: il faut de 1 à " +
		"100 caractères, sans %q, sans saut de ligne et sans espace au début ni à la fin",
	"every %q: want hourly, daily, weekly or monthly": "fréquence %q~: il faut hourly, daily, weekly ou monthly",
	"start %q: want a day such as 2025-01-01":         "début %q~: il faut un jour, p. ex. 2025-01-01",
	"asset %q is not partitioned":                     "l’actif %q n’a pas de partitions",
	"has no keys":                                     "n’a pas de clé",
	"key %q is there twice":                           "la clé %q y figure deux fois",
	"dimension %q has two dimensions itself":          "la dimension %q a elle-même deux dimensions",
	"dimension %q: %w":                                "dimension %q~: %s",

	// Config.
	"config schema: %w":                        "schéma de la configuration~: %s",
	"a config field may not be called \"ops\"": "un champ de la configuration ne peut pas s’appeler «~ops~»",
	"got %s, want a plain %s":                  "reçu %s; il faut un simple %s",
	"is required":                              "est obligatoire",
	"is not a config field":                    "n’est pas un champ de la configuration",
	"is %s, but the partition makes it %s":     "vaut %s, mais la partition impose %s",
	"want a JSON object":                       "il faut un objet JSON",
	"this run has several assets: want {\"ops\": {\"<asset>\": {\"config\": {...}}}}": "cette exécution a plusieurs " +
		"actifs~: il faut {\"ops\": {\"<asset>\": {\"config\": {...}}}}",
	"is not expected beside \"ops\"":                 "n’est pas admis à côté de «~ops~»",
	"want an object of asset names":                  "il faut un objet de noms d’actifs",
	"want an object with \"config\"":                 "il faut un objet avec «~config~»",
	"is not expected here: want {\"config\": {...}}": "n’est pas admis ici~: il faut {\"config\": {...}}",
	"want an object":                                 "il faut un objet",
	"want YAML 1.2 without directives":               "il faut du YAML 1.2 sans directives",
	"line %d: another document begins: want one":     "ligne %d~: un autre document commence; il en faut un seul",
	"want one value":                                 "il faut une seule valeur",
	"line %d: %s":                                    "ligne %d~: %s",
	"not valid UTF-8":                                "n’est pas de l’UTF-8 valide",
	"too many values for YAML: want fewer, or JSON":  "trop de valeurs pour du YAML~: il en faut moins, ou du JSON",
	"maximum: got %s, want %s":                       "maximum~: reçu %s; il faut au plus %s",
	"minimum: got %s, want %s":                       "minimum~: reçu %s; il faut au moins %s",
	"got %s, want %s":                                "reçu %s; il faut %s",
	"%s does not match pattern %s":                   "%s ne correspond pas au motif %s",
	"minLength: got %s, want %s":                     "longueur minimale~: reçu %s; il faut au moins %s",
	"maxLength: got %s, want %s":                     "longueur maximale~: reçu %s; il faut au plus %s",

	// Selections of assets.
	"%q was not expected: a number of layers is followed by +": "%q est inattendu~: un nombre de couches est suivi de +",
	"ends where an asset was expected":                         "se termine là où un actif était attendu",
	"a closing parenthesis is missing":                         "il manque une parenthèse fermante",
	"%q was not expected: want an asset":                       "%q est inattendu~: il faut un actif",
	"%q is not known: want key:NAME, group:NAME, owner:NAME, kind:NAME or tag:KEY=VALUE": "" +
		"%q est inconnu~: il faut key:NOM, group:NOM, owner:NOM, kind:NOM ou tag:CLÉ=VALEUR",
	"there is no asset %q":                   "il n’y a pas d’actif %q",
	"%q is not a pattern":                    "%q n’est pas un motif",
	"there is no %s %q":                      "il n’y a pas de %s %q",
	"is %d characters long: want %d at most": "compte %d caractères; %d au plus sont admis",
	"%q was not expected: want and, or, a comma or the end": "" +
		"%q est inattendu~: il faut and, or, une virgule ou la fin",
	"selects no asset": "ne sélectionne aucun actif",

	// Refusals.
	"not found": "introuvable",
	"the Idempotency-Key was used before with another request": "" +
		"cette Idempotency-Key a déjà servi pour une autre demande",
	"asset %q does not exist":         "l’actif %q n’existe pas",
	"job %q does not exist":           "la tâche %q n’existe pas",
	"schedule %q does not exist":      "l’horaire %q n’existe pas",
	"sensor %q does not exist":        "le capteur %q n’existe pas",
	"run %q does not exist":           "l’exécution %q n’existe pas",
	"backfill %q does not exist":      "le remplissage %q n’existe pas",
	"bill %q does not exist":          "le projet de loi %q n’existe pas",
	"alert channel %q does not exist": "le canal d’alerte %q n’existe pas",
	"politician %q does not exist":    "le politicien %q n’existe pas",
	"%s %q does not exist":            "%s %q n’existe pas",
	"the key %q cannot be that of a tag: want 1 to %d characters, no colon, and no white space but spaces " +
		"between words": "" +
		"la clé %q ne peut pas être celle d’une étiquette~: il faut de 1 à %d caractères, sans deux-points ni " +
		"blancs autres que des espaces entre les mots",
}
