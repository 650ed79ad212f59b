/**
 * The rules of `deploy/prometheus/muster.rules.yml` as Prometheus Operator takes them: the same text, comments
 * included, below `spec`.
 */
const head = `# Written by \`pnpm metrics\` from deploy/prometheus/muster.rules.yml; change it there.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: muster
  labels:
    app.kubernetes.io/name: muster
spec:
`

export const makePrometheusRule = (rules: string): string =>
  head + rules.slice(rules.indexOf("groups:")).replace(/^(?=.)/gm, "  ")
