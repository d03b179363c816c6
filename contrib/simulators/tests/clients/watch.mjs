// Watches a pool with xen-api while another session changes it, and prints what was seen as one line of JSON.
//
//     node watch.mjs URL PASSWORD

import { createClient } from 'xen-api'

const [url, password] = process.argv.slice(2)
const auth = { user: 'root', password }

const watcher = createClient({ auth, debounce: 0, url })
const other = createClient({ auth, url, watchEvents: false })

const changed = (id, is) =>
  new Promise(resolve => {
    const look = () => {
      const object = watcher.objects.all[id]
      if (object !== undefined && is(object)) {
        watcher.objects.removeListener('update', look)
        resolve(object)
      }
    }
    watcher.objects.on('update', look)
    look()
  })

await Promise.all([watcher.connect(), other.connect()])
await watcher.objectsFetched

const counts = {}
for (const object of Object.values(watcher.objects.all)) {
  counts[object.$type] = (counts[object.$type] ?? 0) + 1
}

const isGuest = object => object.$type === 'VM' && !(object.is_a_template || object.is_a_snapshot || object.is_control_domain)
const guests = Object.values(watcher.objects.all).filter(isGuest)
const { uuid } = guests.find(vm => vm.power_state === 'Running')
const { uuid: halted } = guests.find(vm => vm.power_state === 'Halted')

const ref = await other.call('VM.get_by_uuid', uuid)
await other.call('VM.set_name_label', ref, 'renamed by another')
const renamed = await changed(uuid, vm => vm.name_label === 'renamed by another')

await watcher.callAsync('VM.start', watcher.getObject(halted).$ref, false, false)
const started = await changed(halted, vm => vm.power_state === 'Running')

const error = await other.call('VM.start', started.$ref, false, false).catch(error => error)

console.log(
  JSON.stringify({
    counts,
    VMs: (await other.call('VM.get_all')).length,
    error: [error.code, error.params],
    host: started.$resident_on.name_label,
    pool: watcher.pool.name_label,
    renamed: renamed.name_label,
    state: started.power_state,
  })
)
await Promise.all([watcher.disconnect(), other.disconnect()])
process.exit(0)
