/** Lag over the time that the page is open, a line per application (uPlot). */

import type UPlot from 'uplot'
import { h } from './dom.ts'
import { root } from './router.ts'

export interface LagChart {
  readonly element: HTMLElement
  add(atMs: number, lags: Readonly<Record<string, number>>): void
  close(): void
}

const clockForm = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' })
const mostPoints = 300
const shownSeconds = 600
const height = 180
const colours = ['--line-1', '--line-2', '--line-3', '--line-4', '--line-5', '--line-6', '--line-7', '--line-8']

export async function lagChart(names: readonly string[]): Promise<LagChart> {
  const { default: Plot } = (await import(`${root}/assets/vendor/uplot.js`)) as { default: typeof UPlot }
  await styled(`${root}/assets/vendor/uplot.css`)
  const element = h('div', {
    class: 'chart',
    role: 'img',
    'aria-label': 'Lag of each application while this page is open; the numbers stand in the table below',
  })
  const style = getComputedStyle(document.documentElement)
  const colour = (name: string): string => style.getPropertyValue(name).trim()
  const axis = {
    stroke: colour('--soft'),
    grid: { stroke: colour('--line'), width: 1 },
    ticks: { stroke: colour('--line'), width: 1 },
  }
  const data: number[][] = [[], ...names.map(() => [])]
  const plot = new Plot(
    {
      width: 600,
      height,
      cursor: { show: false },
      scales: {
        x: { range: (_plot, _least, most) => [(most || Date.now() / 1000) - shownSeconds, most || Date.now() / 1000] },
        y: { range: (_plot, _least, most) => [0, Math.max(10, Math.ceil(most * 1.1))] },
      },
      axes: [
        { ...axis, values: (_plot, seconds) => seconds.map((at) => clockForm.format(at * 1000)) },
        { ...axis, size: 56 },
      ],
      series: [
        {},
        ...names.map((name, index) => ({ label: name, width: 2, stroke: colour(colours[index % colours.length]!) })),
      ],
      legend: { live: false },
    },
    data as never,
    element,
  )
  const sized = new ResizeObserver(() => plot.setSize({ width: Math.max(280, element.clientWidth), height }))
  sized.observe(element)
  return {
    element,
    add(atMs, lags) {
      data[0]!.push(atMs / 1000)
      names.forEach((name, index) => data[index + 1]!.push(lags[name] ?? 0))
      if (data[0]!.length > mostPoints) data.forEach((series) => series.shift())
      plot.setData(data as never)
    },
    close() {
      sized.disconnect()
      plot.destroy()
    },
  }
}

/** The library's own style, once; resolves when it is there. */
function styled(href: string): Promise<void> {
  if (document.querySelector(`link[href="${href}"]`) !== null) return Promise.resolve()
  return new Promise((resolve) => {
    document.head.append(h('link', { rel: 'stylesheet', href, onload: () => resolve(), onerror: () => resolve() }))
  })
}
