/* See injector.h. */
#define _GNU_SOURCE
#include "injector.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef __cplusplus
extern "C" {
#endif

static volatile int* counting; /* shared by parent and child */

void count_calls(int on) { *counting = on; }

static const int kNumbers[] = {SYS_mmap, SYS_munmap, SYS_mprotect, SYS_madvise, SYS_mremap, SYS_brk};

/* The child's part: from here on its memory calls wait for the listener, whose descriptor is returned; -1: not allowed. */
static int install_filter(void) {
  struct sock_filter code[16];
  int n = 0;
  const int calls = (int)(sizeof kNumbers / sizeof *kNumbers);
  code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
  for (int i = 0; i < calls; ++i) {
    code[n] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)kNumbers[i], 0, 0);
    code[n++].jt = (unsigned char)(calls - i);
  }
  code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF);
  struct sock_fprog program = {(unsigned short)n, code};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return -1;
  return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
}

static void send_descriptor(int socket, int descriptor) {
  char room[CMSG_SPACE(sizeof(int))];
  char byte = descriptor >= 0 ? 'y' : 'n';
  struct iovec text = {&byte, 1};
  struct msghdr message;
  memset(&message, 0, sizeof message);
  memset(room, 0, sizeof room);
  message.msg_iov = &text;
  message.msg_iovlen = 1;
  if (descriptor >= 0) {
    message.msg_control = room;
    message.msg_controllen = sizeof room;
    struct cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(header), &descriptor, sizeof descriptor);
  }
  if (sendmsg(socket, &message, 0) != 1) _exit(kCannotJudgeExit);
}

static int receive_descriptor(int socket) {
  char room[CMSG_SPACE(sizeof(int))];
  char byte = 0;
  int descriptor = -1;
  struct iovec text = {&byte, 1};
  struct msghdr message;
  memset(&message, 0, sizeof message);
  message.msg_iov = &text;
  message.msg_iovlen = 1;
  message.msg_control = room;
  message.msg_controllen = sizeof room;
  if (recvmsg(socket, &message, 0) != 1 || byte != 'y') return -1;
  const struct cmsghdr* header = CMSG_FIRSTHDR(&message);
  if (header != NULL) memcpy(&descriptor, CMSG_DATA(header), sizeof descriptor);
  return descriptor;
}

static int is_meant(struct Refusal refusal, int number) {
  return refusal.call == kAllCalls || kNumbers[refusal.call] == number;
}

/* Answers one call of the child. False: the child has ended. */
static int answer(int listener, struct Refusal refusal, struct Trial* trial) {
  struct seccomp_notif request;
  struct seccomp_notif_resp response;
  memset(&request, 0, sizeof request);
  memset(&response, 0, sizeof response);
  if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &request) != 0) return errno == EINTR;
  response.id = request.id;
  response.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
  if (*counting && is_meant(refusal, request.data.nr)) {
    ++trial->calls;
    const int refuse = (refusal.mode == kRefuseNth && trial->calls == refusal.n) ||
                       (refusal.mode == kRefuseFrom && trial->calls >= refusal.n);
    if (refuse) {
      ++trial->refused;
      response.flags = 0;
      response.error = -ENOMEM;
    }
  }
  ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &response);
  return 1;
}

struct Trial run_refusing(struct Refusal refusal, void (*body)(void)) {
  struct Trial trial = {0, 0, 0};
  int ends[2];
  if (counting == NULL) {
    counting = (volatile int*)mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  }
  *counting = 0;
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) cannot_judge("socketpair failed");
  const pid_t child = fork();
  if (child < 0) cannot_judge("fork failed");
  if (child == 0) {
    const int listener = install_filter();
    send_descriptor(ends[1], listener);
    if (listener < 0) _exit(kCannotJudgeExit);
    body();
    _exit(0);
  }
  close(ends[1]);
  const int listener = receive_descriptor(ends[0]);
  close(ends[0]);
  if (listener < 0) {
    waitpid(child, NULL, 0);
    cannot_judge("seccomp's user notification is not to be had here");
  }
  struct pollfd ready = {listener, POLLIN, 0};
  while (poll(&ready, 1, -1) > 0 && (ready.revents & POLLIN) != 0 && answer(listener, refusal, &trial)) {
  }
  close(listener);
  waitpid(child, &trial.status, 0);
  return trial;
}

#ifdef __cplusplus
}
#endif
