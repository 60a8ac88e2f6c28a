import type { Texts } from '../en'

export const dataTexts: Pick<Texts, 'data' | 'feeds' | 'exports' | 'quality' | 'fetch'> = {
  data: {
    title: 'Données',
  },
  feeds: {
    title: 'Fils',
    subscribe: 'Suivre par fil',
    help:
      'Modifications des projets de loi pour les lecteurs de fils. Les projets de loi, les députés et les ' +
      'recherches ont des fils sur leurs propres pages.',
    of: '{{form}} : {{title}}',
  },
  exports: {
    title: 'Téléchargements',
    rows_one: '{{count}} projet de loi, en un fichier :',
    rows_other: '{{count}} projets de loi, en un fichier :',
    fields: 'Champs',
    terms: 'Conditions',
  },
  quality: {
    title: 'Qualité des données',
    checks: 'Contrôles',
    none: 'Aucun rapport',
    coverage: 'Proportion des projets de loi qui ont chaque champ, par session',
    summary:
      '{{bills}} projets de loi. {{differences}} différences entre les sources. {{missing}} projets de loi ne sont ' +
      'plus répertoriés par les sources. {{linked}} des {{sponsors}} parrains de projets de loi de la Chambre sont ' +
      'des députés connus.',
    missing: 'Ne sont plus répertoriés par les sources',
    noneLags: 'Tous les projets de loi correspondent à la plus récente liste de LEGISinfo.',
    lags_one: '{{count}} projet de loi est en retard sur la plus récente liste de LEGISinfo, depuis :',
    lags_other: '{{count}} projets de loi sont en retard sur la plus récente liste de LEGISinfo, depuis :',
  },
  fetch: {
    title: 'Journal des collectes',
    status: 'État',
    source: 'Source',
    asset: 'Actif',
    run: 'Exécution',
    when: 'Date et heure',
    records: 'Enregistrements',
    succeeded: '{{count}} enregistrés',
    failed: '{{count}} échoués',
    duration: 'Durée',
    errors_one: '{{count}} erreur',
    errors_other: '{{count}} erreurs',
    params: 'Paramètres',
    empty: 'Aucune collecte ne correspond',
    emptyText: 'Modifiez les filtres.',
    none: 'Aucune collecte',
    noneText: 'Chaque collecte auprès des sources est consignée ici.',
  },
}
