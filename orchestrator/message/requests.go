package message

// requests has what the server says about requests, and the names of HTTP statuses.
var requests = map[string]string{
	"Bad Request":                     "Demande incorrecte",
	"Unauthorized":                    "Authentification requise",
	"Forbidden":                       "Accès refusé",
	"Not Found":                       "Introuvable",
	"Method Not Allowed":              "Méthode non admise",
	"Not Acceptable":                  "Non acceptable",
	"Conflict":                        "Conflit",
	"Request Entity Too Large":        "Demande trop volumineuse",
	"Request URI Too Long":            "Adresse trop longue",
	"Unsupported Media Type":          "Type de contenu non pris en charge",
	"Misdirected Request":             "Demande mal adressée",
	"Unprocessable Entity":            "Demande non valide",
	"Precondition Failed":             "Condition non remplie",
	"Too Many Requests":               "Trop de demandes",
	"Request Header Fields Too Large": "En-têtes trop volumineux",
	"Internal Server Error":           "Erreur interne du serveur",
	"Not Implemented":                 "Non pris en charge",
	"Bad Gateway":                     "Réponse non valide d’un autre serveur",
	"Service Unavailable":             "Service non disponible",
	"Gateway Timeout":                 "Délai dépassé",

	// Addresses, bodies and parameters.
	"there is nothing at this address; GET /openapi.json describes what there is": "il n’y a rien à cette adresse; " +
		"GET /openapi.json décrit ce qui existe",
	"this address does not take this method; the Allow header says which it takes": "cette adresse n’admet pas cette " +
		"méthode; l’en-tête Allow indique celles qu’elle admet",
	"%d field is invalid: %s":        "%d champ n’est pas valide~: %s",
	"%d fields are invalid: %s":      "%d champs ne sont pas valides~: %s",
	"%s %s invalid: %s":              "%[1]s champs ne sont pas valides~: %[3]s",
	"and %d more":                    "et %d de plus",
	"the body is not valid YAML: %s": "le corps n’est pas du YAML valide~: %s",
	"the body is not valid JSON: %s": "le corps n’est pas du JSON valide~: %s",
	"the body is not valid UTF-8":    "le corps n’est pas de l’UTF-8 valide",
	"the body is longer than %d KiB of YAML; as JSON it may be longer": "" +
		"le corps compte plus de %d Kio de YAML; en JSON, il peut être plus long",
	"the body is longer than %d KiB":         "le corps compte plus de %d Kio",
	"the body is longer than %d MiB":         "le corps compte plus de %d Mio",
	"the body could not be read to its end":  "le corps n’a pas pu être lu jusqu’à la fin",
	"the body is %s: want application/json":  "le corps est de type %s; il faut application/json",
	"is more than %d lists and objects deep": "a plus de %d listes et objets imbriqués",
	"the path is longer than %d KiB":         "le chemin compte plus de %d Kio",
	"is longer than %d KiB":                  "compte plus de %d Kio",
	"has %s parameters: want %d at most":     "a %s paramètres; %d au plus sont admis",
	"%s cannot be read: %s":                  "%s ne peut pas être lu~: %s",
	"the request":                            "la demande",
	"the request cannot be read: %s":         "la demande ne peut pas être lue~: %s",
	"is given %d times (%s): want it once":   "est donné %d fois (%s); il en faut un seul",
	"is not valid UTF-8":                     "n’est pas de l’UTF-8 valide",
	"has a NUL character in it":              "contient un caractère NUL",
	"is not a parameter: this operation takes no query parameters": "" +
		"n’est pas un paramètre~: cette opération n’en a aucun",
	"is not a parameter: want one of %s": "n’est pas un paramètre~: il faut l’un de %s",
	"%s has a semicolon, which separates nothing: want & between parameters, and %%3B in a value": "" +
		"%s a un point-virgule, qui ne sépare rien~: il faut & entre les paramètres, et %%3B dans une valeur",
	"%s has %s, which stands for no character: want %%25 for a percent sign": "%s contient %s, qui ne désigne aucun " +
		"caractère~: il faut %%25 pour un signe de pourcentage",
	"the header has too many lines, or too much of too many headers is waited for": "" +
		"l’en-tête a trop de lignes, ou trop d’en-têtes sont attendus",
	"is given beside partitions: want one of them": "est donné à côté de partitions~: il faut l’un ou l’autre",
	"is given beside assets: want one of them":     "est donné à côté d’actifs~: il faut l’un ou l’autre",
	"is empty: want from, to or both; without a range, all partitions are meant": "" +
		"est vide~: il faut from, to ou les deux; sans plage, toutes les partitions sont visées",
	"is required, or a selection": "est obligatoire, ou une sélection",
	"is given together with a cursor, which knows since when: want one or the other": "" +
		"est donné avec un curseur, qui sait déjà depuis quand~: il faut l’un ou l’autre",
	"%q is not a session: want one such as 44-1": "%q n’est pas une session~: il en faut une comme 44-1",
	"%s is not a cursor: want the next_cursor of a page before, as it is": "%s n’est pas un curseur~: il faut le " +
		"next_cursor d’une page précédente, tel quel",
	"this cursor is of another list (%s): want one of %s": "ce curseur est celui d’une autre liste (%s)~: il en faut un " +
		"de %s",
	"%q is not the id of an event":                "%q n’est pas l’identifiant d’un événement",
	"%q is not the id of an event of this stream": "%q n’est pas l’identifiant d’un événement de ce flux",
	"%q is not an export: want bills.csv, bills.ndjson or bills.parquet": "%q n’est pas un téléchargement~: il faut " +
		"bills.csv, bills.ndjson ou bills.parquet",
	"is for bills.csv alone": "ne vaut que pour bills.csv",
	"%q is not a feed: want a name and .rss, .atom or .json, such as bills.rss": "" +
		"%q n’est pas un fil~: il faut un nom et .rss, .atom ou .json, p. ex. bills.rss",
	"is required with the feed search": "est obligatoire avec le fil search",
	"is for the feed search alone":     "ne vaut que pour le fil search",
	"there is no feed %q: names of feeds are made of letters, digits and hyphens, such as bills.rss": "" +
		"il n’y a pas de fil %q~: un nom de fil est fait de lettres, de chiffres et de traits d’union, p. ex. " +
		"bills.rss",
	"%q is not a status of runs: want some of %s, with a hyphen before those to leave out": "%q n’est pas un état " +
		"d’exécution~: il faut certains de %s, avec un trait d’union devant ceux à exclure",
	"is blank: want what to look for": "est vide~: il faut ce que vous cherchez",
	"is %s: want 0 to %d":             "vaut %s; il faut de 0 à %d",

	// Access.
	"this needs the scope %s; %s has %s":             "cette action demande la portée %s; %s a la portée %s",
	"a browser sent this for a page of another site": "un navigateur a envoyé cette demande pour une page d’un autre site",
	"this needs an API key, as Authorization: Bearer pex_..., or a session": "" +
		"cette action demande une clé d’API, sous la forme Authorization: Bearer pex_..., ou une session",
	"this server answers on this machine only, as localhost, not as %q: it would want authentication " +
		"(AUTH=on) otherwise": "" +
		"ce serveur ne répond que sur cet ordinateur, sous le nom localhost et non %q~: sinon, il exigerait " +
		"l’authentification (AUTH=on)",
	"this server wants no authentication: there is nothing to sign in to": "ce serveur n’exige pas d’authentification~: " +
		"il n’y a pas de connexion à ouvrir",
	"%s is over: want a time to come":       "%s est passé~: il faut un moment à venir",
	"scope %q: want read, operate or admin": "portée %q~: il faut read, operate ou admin",
	"no such key":                           "cette clé n’existe pas",
	"no such session":                       "cette session n’existe pas",
	"%w: %s has no role here; the claim %s is to name one": "%s~: %s n’a pas de rôle ici; la revendication %s doit en " +
		"nommer un",
	"this server has no identity provider: sign in with an API key": "ce serveur n’a pas de fournisseur d’identité~: " +
		"connectez-vous avec une clé d’API",
	"identity provider": "fournisseur d’identité",
	"identity provider %s does not answer as it should; try again in %s": "le fournisseur d’identité %s ne répond pas " +
		"comme il le devrait; réessayez dans %s",
	"the answer is longer than %d bytes":           "la réponse compte plus de %d octets",
	"the identity provider is not asked just now":  "le fournisseur d’identité n’est pas interrogé en ce moment",
	"the key or session of this request has ended": "la clé ou la session de cette demande a pris fin",
	"the API key is not valid":                     "la clé d’API n’est pas valide",
	"want a person (subject) or a key (key_id) whose sessions are to end": "il faut une personne (subject) ou une clé " +
		"(key_id) dont les sessions prendront fin",
	"want a person (subject) or a key (key_id), not both": "" +
		"il faut une personne (subject) ou une clé (key_id), pas les deux",
	"header %s is missing: want a request signed as Standard Webhooks have it": "" +
		"l’en-tête %s manque~: il faut une demande signée selon Standard Webhooks",
	"no secret is configured for %s (WEBHOOK_SECRETS): its events cannot be verified": "" +
		"aucun secret n’est configuré pour %s (WEBHOOK_SECRETS)~: ses événements ne peuvent pas être vérifiés",
	"%q: want data or all, or leave it unset": "%q~: il faut data ou all, ou ne pas le définir",

	// Load, and the state of the server.
	"more than %d requests a minute; ask again in %s": "plus de %d demandes par minute; redemandez dans %s",
	"too many requests of this client are being answered at once; try again": "" +
		"trop de demandes de ce client sont traitées à la fois; réessayez",
	"the server is answering as many requests as it can; try again": "" +
		"le serveur traite autant de demandes qu’il le peut; réessayez",
	"the database took too long to answer; try again": "la base de données a mis trop de temps à répondre; réessayez",
	"the database cannot be used just now; nothing was done; try again": "la base de données n’est pas utilisable en ce " +
		"moment; rien n’a été fait; réessayez",
	"this cannot be recorded in the audit log just now, so nothing was done; try again": "" +
		"ceci ne peut pas être consigné au journal d’audit en ce moment; rien n’a donc été fait; réessayez",
	"something went wrong; the server's log has it under request id %s": "" +
		"une erreur s’est produite; le journal du serveur la mentionne sous l’identifiant de demande %s",
	"is %s: the primary answers":              "est à l’état %s~: le serveur primaire répond",
	"answers in %s":                           "répond en %s",
	"are applied":                             "sont appliquées",
	"%d alive":                                "%d en vie",
	"is used; lags %s at the most":            "est utilisée; retard d’au plus %s",
	"the search is by words alone":            "la recherche ne porte que sur les mots",
	"a number or a whole title was asked for": "un numéro ou un titre complet a été demandé",
	"does not answer":                         "ne répond pas",
	"Parliament Explorer":                     "Parliament Explorer",

	// What is wrong with a parameter. Some are of the library that reads requests.
	"the query cannot be read: %s":                  "la requête ne peut pas être lue~: %s",
	"is a number of %s characters: want %d at most": "est un nombre de %s caractères; %d au plus sont admis",
	"%s has too large an exponent: want %d at most": "%s a un exposant trop grand; %d au plus",
	"%s is too large a number":                      "%s est un nombre trop grand",
	"%s is not a day: want one such as %s":          "%s n’est pas un jour; il en faut un tel que %s",
	"%s is not an id: want a UUID such as %s":       "%s n’est pas un identifiant; il faut un UUID tel que %s",
	"%s has a space before its offset, because + is a space in a query: want %%2B for it, or a time in UTC such " +
		"as %s": "" +
		"%s a une espace avant son décalage, car + est une espace dans une requête; il faut %%2B, ou un " +
		"moment en UTC tel que %s",
	"%s is a day: want a time, such as %s": "%s est un jour; il faut un moment, tel que %s",
	"%s has no time zone: want Z behind it for UTC, or an offset such as -04:00 (in a query, %%2B stands for +)": "" +
		"%s n’a pas de fuseau; il faut Z à la fin pour l’UTC, ou un décalage tel que -04:00 (dans une " +
		"requête, %%2B représente +)",
	"%s is not a time as RFC 3339 writes it: want %s": "%s n’est pas un moment selon la RFC 3339; il faut %s",
	"%s is not a time%s: want one such as %s":         "%s n’est pas un moment%s; il en faut un tel que %s",
	"%s is not a time: want RFC 3339 with a time zone, such as %s": "" +
		"%s n’est pas un moment; il faut la forme de la RFC 3339 avec un fuseau, telle que %s",
	"%s is not of the form wanted: want one such as %s": "%s n’a pas la forme voulue; il faut par exemple %s",
	"%s is neither true nor false: want one of them":    "%s n’est ni true ni false; il faut l’un des deux",
	"%s is not such a number: want a whole number from %s to %s": "" +
		"%s n’est pas un tel nombre; il faut un entier de %s à %s",
	"%s is not such a number: want a whole number":      "%s n’est pas un tel nombre; il faut un entier",
	"value is required but missing":                     "la valeur est obligatoire et manque",
	"number must be at least %s, got %s":                "doit être au moins %s; reçu %s",
	"number must be at most %s, got %s":                 "doit être au plus %s; reçu %s",
	"minimum string length is %s, got %s":               "la longueur minimale est de %s; reçu %s",
	"maximum string length is %s, got %s":               "la longueur maximale est de %s; reçu %s",
	"value is not one of the allowed values %s, got %s": "n’est pas l’une des valeurs permises %s; reçu %s",
}
