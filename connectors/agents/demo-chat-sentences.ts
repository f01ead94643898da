/** What the simulated agent says in words of ours, in the visitor's language where we speak it. */

export type Sentence =
  /** The demo's facts do not answer the question. */
  | 'neutral'
  /** The model could not be asked. */
  | 'unavailable'
  | 'too_long'
  /** The session has had its questions. */
  | 'enough'

const sentences: Readonly<Record<string, Readonly<Record<Sentence, string>>>> = {
  en: {
    neutral: 'I can only speak about what this demo shows, and it does not answer that. Our team can.',
    unavailable: 'I cannot answer at the moment. Please try again in a few minutes.',
    too_long: 'That is more than I can take in at once. Please ask it in fewer words.',
    enough: 'We have come to the end of what this demo can tell. Our team gladly takes it from here.',
  },
  de: {
    neutral: 'Ich kann nur über das sprechen, was diese Demo zeigt, und das beantwortet sie nicht. Unser Team kann es.',
    unavailable: 'Im Moment kann ich nicht antworten. Bitte versuchen Sie es in einigen Minuten noch einmal.',
    too_long: 'Das ist mehr, als ich auf einmal aufnehmen kann. Bitte fragen Sie mit weniger Worten.',
    enough: 'Mehr kann diese Demo nicht erzählen. Ab hier hilft Ihnen gern unser Team.',
  },
  fr: {
    neutral: "Je ne peux parler que de ce que montre cette démo, et elle n'y répond pas. Notre équipe, si.",
    unavailable: 'Je ne peux pas répondre pour le moment. Merci de réessayer dans quelques minutes.',
    too_long: "C'est plus que je ne peux lire en une fois. Merci de poser la question plus brièvement.",
    enough: 'Cette démo ne peut pas en dire davantage. Notre équipe prend volontiers la suite.',
  },
  es: {
    neutral: 'Solo puedo hablar de lo que muestra esta demo, y no responde a eso. Nuestro equipo sí puede.',
    unavailable: 'No puedo responder en este momento. Inténtelo de nuevo en unos minutos.',
    too_long: 'Es más de lo que puedo leer de una vez. Por favor, pregúntelo con menos palabras.',
    enough: 'Esta demo no puede contar más. Nuestro equipo continuará con gusto.',
  },
}

/** @param language as in `de` or `de-AT`; English for one that we do not speak */
export function sentence(which: Sentence, language: string): string {
  const spoken = sentences[language.toLowerCase().split('-')[0] ?? ''] ?? sentences['en']
  return spoken?.[which] ?? ''
}
