/** A term of the glossary. `id` is its fragment in the address of the page, and stays the same. */
export interface Entry {
  id: string
  en: { term: string; text: string }
  fr: { term: string; text: string }
}

/** The terms of the readers' pages, in plain language. */
export const glossary: Entry[] = [
  {
    id: 'bill',
    en: {
      term: 'Bill',
      text:
        'A proposal for a law. Bills of the House of Commons have numbers that begin with C, bills of the Senate ' +
        'numbers that begin with S. Numbering begins again in each session, so a number alone does not say which ' +
        'bill is meant.',
    },
    fr: {
      term: 'Projet de loi',
      text:
        'Une proposition de loi. Le numéro d’un projet de loi de la Chambre des communes commence par C, celui d’un ' +
        'projet de loi du Sénat par S. La numérotation recommence à chaque session : un numéro seul ne dit donc pas ' +
        'de quel projet de loi il s’agit.',
    },
  },
  {
    id: 'government-bill',
    en: {
      term: 'Government bill',
      text:
        'A bill that a minister introduces for the government. In the House of Commons, these have the numbers C-2 ' +
        'to C-200; in the Senate, numbers from S-2.',
    },
    fr: {
      term: 'Projet de loi émanant du gouvernement',
      text:
        'Un projet de loi qu’un ministre dépose au nom du gouvernement. À la Chambre des communes, ils portent les ' +
        'numéros C-2 à C-200; au Sénat, des numéros à partir de S-2.',
    },
  },
  {
    id: 'private-members-bill',
    en: {
      term: 'Private member’s bill',
      text:
        'A bill of a member of the House of Commons who is not a minister or a parliamentary secretary. Its number ' +
        'is C-201 or higher. It may not spend public money without a recommendation of the Crown.',
    },
    fr: {
      term: 'Projet de loi émanant d’un député',
      text:
        'Un projet de loi d’un député qui n’est ni ministre ni secrétaire parlementaire. Son numéro est C-201 ou ' +
        'plus. Il ne peut entraîner de dépenses publiques sans recommandation de la Couronne.',
    },
  },
  {
    id: 'sponsor',
    en: {
      term: 'Sponsor',
      text: 'The member, minister or senator who introduces a bill and answers for it in that chamber.',
    },
    fr: {
      term: 'Parrain ou marraine',
      text: 'Le député, le ministre ou le sénateur qui dépose un projet de loi et en répond dans sa chambre.',
    },
  },
  {
    id: 'session',
    en: {
      term: 'Parliament and session',
      text:
        'A Parliament lasts from one general election to the next. It has one session or more. 44-1 is the first ' +
        'session of the 44th Parliament.',
    },
    fr: {
      term: 'Législature et session',
      text:
        'Une législature dure d’une élection générale à la suivante. Elle compte une session ou plus. 44-1 est la ' +
        'première session de la 44e législature.',
    },
  },
  {
    id: 'first-reading',
    en: {
      term: 'First reading',
      text: 'The introduction of a bill in a chamber. There is no debate, and the bill is then published.',
    },
    fr: {
      term: 'Première lecture',
      text:
        'Le dépôt d’un projet de loi dans une chambre. Il n’y a pas de débat, et le projet de loi est ensuite ' +
        'publié.',
    },
  },
  {
    id: 'second-reading',
    en: {
      term: 'Second reading',
      text: 'The debate and the vote on the principle of a bill. A bill that passes usually goes to a committee.',
    },
    fr: {
      term: 'Deuxième lecture',
      text:
        'Le débat et le vote sur le principe d’un projet de loi. S’il est adopté, le projet de loi est ' +
        'habituellement renvoyé à un comité.',
    },
  },
  {
    id: 'committee-stage',
    en: {
      term: 'Consideration in committee',
      text:
        'A committee of members or senators hears witnesses, studies a bill clause by clause, and reports it with ' +
        'or without amendments.',
    },
    fr: {
      term: 'Examen en comité',
      text:
        'Un comité de députés ou de sénateurs entend des témoins, étudie un projet de loi article par article, et ' +
        'en fait rapport avec ou sans amendement.',
    },
  },
  {
    id: 'committee-of-the-whole',
    en: {
      term: 'Committee of the whole',
      text:
        'All members of a chamber, sitting in the chamber as a committee. It is used for bills that grant money, ' +
        'and for bills that a chamber wants to pass quickly.',
    },
    fr: {
      term: 'Comité plénier',
      text:
        'Tous les membres d’une chambre, qui siègent dans la chambre en tant que comité. On y a recours pour les ' +
        'projets de loi de crédits et pour ceux qu’une chambre veut adopter rapidement.',
    },
  },
  {
    id: 'pre-study',
    en: {
      term: 'Pre-study',
      text: 'A Senate committee studies the subject of a bill while it is still before the House of Commons.',
    },
    fr: {
      term: 'Étude préalable',
      text:
        'Un comité du Sénat étudie l’objet d’un projet de loi alors qu’il est encore devant la Chambre des ' +
        'communes.',
    },
  },
  {
    id: 'report-stage',
    en: {
      term: 'Report stage',
      text: 'A chamber takes up the report of the committee and decides on the amendments to a bill.',
    },
    fr: {
      term: 'Étape du rapport',
      text: 'Une chambre étudie le rapport du comité et se prononce sur les amendements au projet de loi.',
    },
  },
  {
    id: 'third-reading',
    en: { term: 'Third reading', text: 'The last debate and the last vote of a chamber on a bill in its final form.' },
    fr: {
      term: 'Troisième lecture',
      text: 'Le dernier débat et le dernier vote d’une chambre sur un projet de loi dans sa forme définitive.',
    },
  },
  {
    id: 'message',
    en: {
      term: 'Message',
      text:
        'The chambers tell each other of their decisions by messages. If one amends a bill of the other, messages ' +
        'go back and forth until both agree on the same words.',
    },
    fr: {
      term: 'Message',
      text:
        'Les chambres s’informent de leurs décisions par des messages. Si l’une amende un projet de loi de l’autre, ' +
        'elles échangent des messages jusqu’à ce qu’elles s’entendent sur le même texte.',
    },
  },
  {
    id: 'royal-assent',
    en: {
      term: 'Royal assent',
      text:
        'The approval of a bill by the Sovereign, given by the Governor General or a deputy, after both chambers ' +
        'have passed it in the same words. With it, the bill becomes an act of Parliament.',
    },
    fr: {
      term: 'Sanction royale',
      text:
        'L’approbation d’un projet de loi par le souverain, donnée par le gouverneur général ou la gouverneure ' +
        'générale, ou par un suppléant, une fois que les deux chambres l’ont adopté dans les mêmes termes. Le ' +
        'projet de loi devient alors une loi.',
    },
  },
  {
    id: 'coming-into-force',
    en: {
      term: 'Coming into force',
      text:
        'The moment from which a law applies. Without another rule in the act, it is the day of royal assent. An ' +
        'act can set another day or let the government set it.',
    },
    fr: {
      term: 'Entrée en vigueur',
      text:
        'Le moment à partir duquel une loi s’applique. Sauf disposition contraire de la loi, c’est la date de la ' +
        'sanction royale. Une loi peut fixer une autre date ou laisser le gouvernement la fixer.',
    },
  },
  {
    id: 'statutes-of-canada',
    en: {
      term: 'Statutes of Canada, chapter',
      text: 'The yearly collection of acts. Each act is a chapter of its year: S.C. 2023, c. 8 is the eighth of 2023.',
    },
    fr: {
      term: 'Lois du Canada, chapitre',
      text:
        'Le recueil annuel des lois. Chaque loi est un chapitre de son année : L.C. 2023, ch. 8 est la huitième de ' +
        '2023.',
    },
  },
  {
    id: 'order-of-precedence',
    en: {
      term: 'Order of precedence',
      text:
        'The list of private members’ bills and motions that the House of Commons takes up in turn. Members’ turns ' +
        'are drawn by lot. Bills outside the order of precedence have been introduced and wait.',
    },
    fr: {
      term: 'Ordre de priorité',
      text:
        'La liste des projets de loi et des motions de députés que la Chambre des communes étudie à tour de rôle. ' +
        'Le tour des députés est tiré au sort. Les projets de loi hors de l’ordre de priorité ont été déposés et ' +
        'attendent.',
    },
  },
  {
    id: 'order-paper',
    en: {
      term: 'Order Paper',
      text:
        'The list of a chamber’s business. A bill dies on the Order Paper if its session ends before the bill is ' +
        'decided.',
    },
    fr: {
      term: 'Feuilleton',
      text:
        'La liste des travaux d’une chambre. Un projet de loi meurt au Feuilleton si sa session prend fin avant ' +
        'qu’il ne soit décidé.',
    },
  },
  {
    id: 'prorogation',
    en: {
      term: 'Prorogation and dissolution',
      text:
        'Prorogation ends a session. Dissolution ends a Parliament and leads to a general election. Both end the ' +
        'work on bills that are not law.',
    },
    fr: {
      term: 'Prorogation et dissolution',
      text:
        'La prorogation met fin à une session. La dissolution met fin à une législature et mène à une élection ' +
        'générale. Les deux mettent fin aux travaux sur les projets de loi qui ne sont pas devenus loi.',
    },
  },
  {
    id: 'reinstatement',
    en: {
      term: 'Reinstatement',
      text:
        'After a prorogation, a bill can continue in the next session of the same Parliament at the stage that it ' +
        'had reached. In the House of Commons, this is automatic for private members’ bills; for government bills, ' +
        'the House decides.',
    },
    fr: {
      term: 'Rétablissement',
      text:
        'Après une prorogation, un projet de loi peut se poursuivre dans la session suivante de la même ' +
        'législature, à l’étape qu’il avait atteinte. À la Chambre des communes, c’est automatique pour les projets ' +
        'de loi de députés; pour ceux du gouvernement, la Chambre en décide.',
    },
  },
  {
    id: 'division',
    en: {
      term: 'Recorded division',
      text:
        'A vote in which the name of each member is recorded. Many decisions are taken without one, by voice or by ' +
        'agreement.',
    },
    fr: {
      term: 'Vote par appel nominal',
      text:
        'Un vote où le nom de chaque membre est consigné. Bien des décisions sont prises autrement, de vive voix ou ' +
        'par consentement.',
    },
  },
  {
    id: 'paired',
    en: {
      term: 'Paired members',
      text:
        'Two members, one of each side, who agree not to vote, so that the absence of one does not change the ' +
        'result.',
    },
    fr: {
      term: 'Députés pairés',
      text:
        'Deux députés, un de chaque côté, qui conviennent de ne pas voter, de sorte que l’absence de l’un ne change ' +
        'pas le résultat.',
    },
  },
  {
    id: 'unanimous-consent',
    en: {
      term: 'Unanimous consent',
      text:
        'A chamber sets its usual rules aside because no member present objects. A bill can pass several stages in ' +
        'one day this way.',
    },
    fr: {
      term: 'Consentement unanime',
      text:
        'Une chambre passe outre à ses règles habituelles parce qu’aucun membre présent ne s’y oppose. Un projet de ' +
        'loi peut ainsi franchir plusieurs étapes en un jour.',
    },
  },
  {
    id: 'pro-forma-bill',
    en: {
      term: 'Pro forma bill',
      text:
        'The bill C-1 or S-1, introduced at the opening of a session to assert the chamber’s right to deliberate on ' +
        'its own business before the Speech from the Throne. It goes no further.',
    },
    fr: {
      term: 'Projet de loi pro forma',
      text:
        'Le projet de loi C-1 ou S-1, déposé à l’ouverture d’une session pour affirmer le droit de la chambre de ' +
        'délibérer de ses propres affaires avant le discours du Trône. Il ne va pas plus loin.',
    },
  },
]
