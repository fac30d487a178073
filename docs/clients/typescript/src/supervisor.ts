// A supervisor in TypeScript: leases a TAP for a VM and removes it.
//
//   node dist/supervisor.js VM [--restored]
//
// With --restored the VM is one of many that are restored from a snapshot.
import { NetworkError, NetworkManager, type GuestView, type Tap } from './network_manager';

// What the guest had when the snapshot was taken.
const SNAPSHOT: GuestView = {
  address: '10.0.0.2',
  prefixLength: 24,
  gateway: '10.0.0.1',
  mac: '06:00:ac:10:00:02',
};

// Switches on the reason; the message is for people.
function whatToDo(reason: string | undefined): string {
  switch (reason) {
    case 'INVALID_ID':
    case 'INVALID_ADDRESS':
    case 'INVALID_REQUEST':
      return 'mend the request';
    case 'ADDRESS_POOL_EXHAUSTED':
    case 'BRIDGE_FULL':
    case 'QUOTA_EXCEEDED':
      return 'remove a TAP, then ask again';
    default:
      return 'give up, and show the message';
  }
}

async function use(network: NetworkManager, vm: string, tap: Tap): Promise<void> {
  console.log(`tap ${tap.tapName}`);
  console.log(`guest ${tap.guestIp}/${tap.prefixLength} ${tap.mac}`);
  const view = tap.guestView;
  if (view !== null) console.log(`believes ${view.address}/${view.prefixLength} ${view.mac}`);
  else console.log(`boot args ${network.getBootArgs(tap)}`);

  // To open the TAP takes an ioctl, which Node.js has not. It need not: the VMM that the
  // supervisor starts, as the same user, opens the TAP by its name.
  const same = await network.createTap(vm, 'eth0');
  const attached = same.attached ? 'attached' : 'not attached';
  console.log(`asked again: ${same.tapName} ${same.guestIp}, ${attached}`);

  try {
    await network.createTap('no/id', 'eth0');
  } catch (error) {
    if (!(error instanceof NetworkError)) throw error;
    console.log(`refused: ${error.reason}: ${whatToDo(error.reason)}`);
  }
}

async function run(vm: string, view?: GuestView): Promise<void> {
  const network = new NetworkManager();
  await network.ensureBridge();
  const tap = await network.createTap(vm, 'eth0', view);
  try {
    await use(network, vm, tap);
  } finally {
    await network.removeTap(tap.tapName);
  }
  await network.removeTap(tap.tapName);
  console.log(`removed ${tap.tapName}`);
}

const [vm, option, ...more] = process.argv.slice(2);
const restored = option === '--restored';
if (vm === undefined || (option !== undefined && !restored) || more.length > 0) {
  console.error('usage: supervisor VM [--restored]');
  process.exit(2);
}
run(vm, restored ? SNAPSHOT : undefined).catch((error: unknown) => {
  console.error(`supervisor: ${error instanceof Error ? error.message : error}`);
  process.exitCode = 1;
});
