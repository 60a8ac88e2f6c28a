package message

// pipeline has the messages of the assets, checks and sensors of package jobs, and of the sources.
var pipeline = map[string]string{
	// Fetches.
	"LEGISinfo answered 403 to the previous records, so this one was not requested": "LEGISinfo a répondu 403 aux " +
		"enregistrements précédents; celui-ci n’a donc pas été demandé",
	"source_unavailable: %w":                           "source non disponible~: %s",
	"nothing could be stored: %s":                      "rien n’a pu être enregistré~: %s",
	"%s lists no politician":                           "%s ne donne la liste d’aucun politicien",
	"%s gave bill %s for session %s":                   "%s a donné le projet de loi %s pour la session %s",
	"%w; without a session, %w":                        "%s; sans session, %s",
	"%w; the list without a session has no bill of it": "%s; la liste sans session n’en contient aucun projet de loi",
	"neither source has a bill of session %s":          "aucune source n’a de projet de loi de la session %s",
	"nothing in LEGISinfo's list can be read: %s":      "rien ne peut être lu dans la liste de LEGISinfo~: %s",
	"LEGISinfo's list has no bill":                     "la liste de LEGISinfo ne contient aucun projet de loi",
	"%s (and %d more for the same reason)":             "%s (et %d de plus pour la même raison)",
	"%s could not be fetched: %v":                      "%s n’a pas pu être recueilli~: %s",
	"the fetch ended as %s":                            "la collecte s’est terminée avec l’état %s",
	"%s has trouble with %s":                           "%s éprouve des difficultés avec %s",
	"success":                                          "réussite",
	"partial_success":                                  "réussite partielle",
	"failure":                                          "échec",
	"source_unavailable":                               "source non disponible",

	"the lease had ended, and another request has it": "le bail avait pris fin, et une autre demande occupe la place",

	// Checks.
	"%d bills lag, %d of them for more than %s": "%d projets de loi sont en retard, dont %d depuis plus de %s",
	"%s since %s": "%s depuis %s",
	"%d members now, %d people, %d with a person id": "" +
		"%d députés en fonction, %d personnes, dont %d avec un identifiant de personne",
	"the latest change of %d bills is not in feeds, such as %s": "" +
		"la dernière modification de %d projets de loi n’est pas dans les fils, p. ex. %s",
	"there are stored bills, but the feed of all bills is empty": "des projets de loi sont enregistrés, mais le fil de " +
		"tous les projets de loi est vide",
	"feeds have the latest change of every bill": "les fils ont la dernière modification de chaque projet de loi",
	"no endpoint is configured":                  "aucun point d’accès n’est configuré",
	"every document is embedded":                 "chaque document a son plongement",
	"%d documents have no embedding of their text, such as %s": "%d documents n’ont pas de plongement de leur texte, " +
		"p. ex. %s",
	"%d documents were embedded before: %w": "%d documents ont été traités auparavant~: %s",
	"%d bills are missing upstream":         "%d projets de loi manquent dans les sources",
	"%d differences in %d bills":            "%d différences dans %d projets de loi",
	"%d bills, %d at most before":           "%d projets de loi, %d au plus auparavant",
	"no bill is stored":                     "aucun projet de loi n’est enregistré",
	"all have one":                          "tous en ont un",
	"without a title: %s":                   "sans titre~: %s",
	"%d errors and %d bills not enriched, of %d bills": "" +
		"%d erreurs et %d projets de loi non complétés, sur %d projets de loi",
	"%d bills of %s; the latest introduction of any is of %s": "%d projets de loi de la session %s; le dépôt le plus " +
		"récent date du %s",

	// Sensors.
	"no bill changed": "aucun projet de loi n’a changé",
	"bills changed, and a running fetch may change more": "" +
		"des projets de loi ont changé, et une collecte en cours peut en changer d’autres",
	"the fetches that changed bills brought new ones too": "" +
		"les collectes qui ont modifié des projets de loi en ont aussi apporté de nouveaux",
	"no new bills": "aucun nouveau projet de loi",
	"there are new bills, and a running fetch may bring more": "il y a de nouveaux projets de loi, et une collecte en " +
		"cours peut en apporter d’autres",
	"every fetch succeeded":       "toutes les collectes ont réussi",
	"no run failed":               "aucune exécution n’a échoué",
	"the body cannot be read: %w": "le corps ne peut pas être lu~: %s",
	"job %q: want one of %s":      "tâche %q~: il faut l’une de %s",

	// Bills and the cursors of their lists.
	"not a bill":                                    "n’est pas un projet de loi",
	"%w: session %q: want one such as 44-1":         "%s~: session %q; il en faut une comme 44-1",
	"%w: number %q: want one such as C-11 or S-203": "%s~: numéro %q; il en faut un comme C-11 ou S-203",
	"the cursor does not belong to this list":       "le curseur n’appartient pas à cette liste",
	"%q is not a place in the history of bills":     "%q n’est pas une position dans l’historique des projets de loi",
	"embeddings of %d numbers, those stored of model %s have %d": "" +
		"plongements de %d nombres; ceux du modèle %s qui sont enregistrés en ont %d",
	"feed %q: %w: names of feeds are made of letters, digits and hyphens": "" +
		"fil %q~: %s; un nom de fil est fait de lettres, de chiffres et de traits d’union",
	"it is twice in one batch":                          "il figure deux fois dans un même lot",
	"the embeddings endpoint does not answer: %w":       "le service de plongements ne répond pas~: %s",
	"the embeddings endpoint's answer was cut off: %w":  "la réponse du service de plongements a été coupée~: %s",
	"data is not a list":                                "data n’est pas une liste",
	"EMBEDDINGS_URL: want an http or https address":     "EMBEDDINGS_URL~: il faut une adresse http ou https",
	"EMBEDDINGS_URL %q: want an http or https address":  "EMBEDDINGS_URL %q~: il faut une adresse http ou https",
	"EMBEDDINGS_MODEL: is required with EMBEDDINGS_URL": "EMBEDDINGS_MODEL~: est obligatoire avec EMBEDDINGS_URL",

	// Answers of the sources.
	"no BillId, and no Id": "ni BillId ni Id",
	"no BillId":            "sans BillId",
	"no Id":                "sans Id",
	"no name":              "sans nom",
	"no BillNumberFormatted, and no NumberCode": "ni BillNumberFormatted ni NumberCode",
	"no ParliamentNumber and SessionNumber":     "sans ParliamentNumber ni SessionNumber",
	"none of the %d records of the list is a bill that was asked for; of the first: %w": "" +
		"aucun des %d enregistrements de la liste n’est un projet de loi demandé; pour le premier~: %s",
	"want an object, not a JSON %s":        "il faut un objet, et non un %s JSON",
	"%s must not be a JSON %s":             "%s ne doit pas être un %s JSON",
	"%d records, want 1":                   "%d enregistrements; il en faut 1",
	"record of bill id %d, want %d":        "fiche du projet de loi d’identifiant %d au lieu de %d",
	"BillId %d is none":                    "BillId %d n’en est pas un",
	"Id %d is none":                        "Id %d n’en est pas un",
	"legisinfo_id %d is none":              "legisinfo_id %d n’en est pas un",
	"%q is not a date and time":            "%q n’est pas une date et une heure",
	"introduced %q is not a date":          "introduced %q n’est pas une date",
	"session %q in the list of session %s": "session %q dans la liste de la session %s",
	"it says more than %d bytes can hold":  "il en dit plus que %d octets ne peuvent contenir",
	"the list has %d records, but its pages have only %d different ones": "la liste compte %d enregistrements, mais ses " +
		"pages n’en ont que %d différents",
	"url %q is not the address of a politician":  "url %q n’est pas l’adresse d’un politicien",
	"record of %q, want %q":                      "fiche de %q au lieu de %q",
	"is longer than %d bytes":                    "compte plus de %d octets",
	"%s: the answer was cut off: %w":             "%s~: la réponse a été coupée~: %s",
	"is too long":                                "est trop long",
	"is not the JSON expected: %s":               "n’est pas le JSON attendu~: %s",
	"is empty":                                   "est vide",
	"is HTML, not JSON (status %d, %s)":          "est du HTML et non du JSON (état %d, %s)",
	"and %d more records that could not be read": "et %d autres enregistrements illisibles",
	"has more than %d records":                   "a plus de %d enregistrements",
	"record %d of the list %w":                   "l’enregistrement %d de la liste %s",
	"is not valid JSON, or was cut off":          "n’est pas du JSON valide, ou a été coupé",
	"cannot be had: %s":                          "ne peut pas être obtenu~: %s",
	"%s: requests per second %g: want 0 (no limit) or more": "" +
		"%s~: demandes par seconde %s; il faut 0 (sans limite) ou plus",
	"%s: metrics: %w": "%s~: métriques~: %s",
	"%s: base URL: want http://host or https://host": "%s~: adresse de base; il faut http://hôte ou https://hôte",
	"%s: base URL %q: want http://host or https://host": "" +
		"%s~: adresse de base %q; il faut http://hôte ou https://hôte",
}
